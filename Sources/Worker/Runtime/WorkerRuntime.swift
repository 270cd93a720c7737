import Dispatch
import Foundation
import Glibc
import Study
import Synchronization
import Transport
import WireProtocol

/// A worker: one session, one transport, one trainer process, glued by one loop.
///
/// Everything that happens (frames, lines of the trainer, signals, ticks) goes through one stream and is handled one
/// after the other; the decisions are made by ``WorkerSession`` and `TrainerSupervisor`.
public actor WorkerRuntime {
  enum Input: Sendable {
    case transport(ClientEvent)
    case transportEnded
    case tick
    case trainer(Int, ChildProcess.Event)
    case signal(String)
  }

  private let settings: WorkerSettings
  private let transport: any ClientTransport
  private let note: @Sendable (WorkerNote) -> Void
  private let codec = MessageCodec()
  private let clock = ContinuousClock()
  private let origin: ContinuousClock.Instant
  private let file: OutcomeFile
  private var session: WorkerSession
  private var supervisor: TrainerSupervisor
  private var trainer: ChildProcess?
  private var generation = 0
  private var end: WorkerEnd?
  private var wasConnected = false
  /// When the coordinator was heard of last; at first, when this worker began.
  private var lastWord: Duration = .zero
  private let inputs: AsyncStream<Input>
  private let feed: AsyncStream<Input>.Continuation
  private let trainerLog: FileHandle?
  private var uploads: UploadQueue
  /// Files of results that are not acknowledged yet.
  private var unacknowledgedFiles: [AttemptToken: [LocalArtifact]] = [:]

  /// - Parameters:
  ///   - transport: the connection; closed when the worker ends.
  ///   - note: takes what the operator should read.
  /// - Throws: `OutcomeFileError` when the state folder cannot be used.
  public init(
    settings: WorkerSettings, transport: any ClientTransport,
    note: @escaping @Sendable (WorkerNote) -> Void = { _ in }
  ) throws {
    self.settings = settings
    self.transport = transport
    self.note = note
    origin = clock.now
    file = try OutcomeFile(folder: settings.stateFolder)
    var hello = settings.hello
    hello.studyIdentifier = file.studyIdentifier.flatMap { $0.isEmpty ? nil : $0 }
    session = WorkerSession(settings: settings.session, hello: hello, retained: file.retained)
    supervisor = TrainerSupervisor(settings: settings)
    uploads = UploadQueue(file: settings.stateFolder.appendingPathComponent("uploads.json"))
    (inputs, feed) = AsyncStream<Input>.makeStream()
    let logURL = settings.stateFolder.appendingPathComponent("trainer.log")
    if !FileManager.default.fileExists(atPath: logURL.path) {
      _ = FileManager.default.createFile(atPath: logURL.path, contents: nil)
    }
    trainerLog = try? FileHandle(forWritingTo: logURL)
    _ = try? trainerLog?.seekToEnd()
  }

  private var now: Duration { origin.duration(to: clock.now) }

  /// Works until the study is over, a signal comes, or the worker is refused.
  public func run() async -> WorkerEnd {
    if let damage = file.damage { note(.warning(damage)) }
    if !uploads.isEmpty { perform(session.handle(.uploading(true), now: now)) }
    if !file.retained.isEmpty {
      note(.info("\(file.retained.count) outcome(s) of an earlier run wait for the coordinator"))
    }
    let feed = feed
    let transport = transport
    let reader = Task {
      for await event in transport.events { feed.yield(.transport(event)) }
      feed.yield(.transportEnded)
    }
    let ticker = Task {
      while !Task.isCancelled {
        feed.yield(.tick)
        try? await Task.sleep(for: .milliseconds(100))
      }
    }
    let signals = settings.handlesSignals ? SignalWatch { feed.yield(.signal($0)) } : nil
    for await input in inputs {
      handle(input)
      if end != nil { break }
    }
    ticker.cancel()
    signals?.stop()
    shutDownTrainer()
    transport.close()
    // The socket's thread ends when the goodbye has left, or after the linger time; the process must not end before.
    await reader.value
    return end ?? .stopped("cancelled")
  }

  private func shutDownTrainer() {
    generation += 1
    trainer?.write(TrainerCodec.line(.exit))
    // Its standard input ends: it leaves, with its group, wherever it is.
    trainer?.closeInput()
    trainer?.kill(SIGTERM, group: true)
    trainer = nil
  }

  private func handle(_ input: Input) {
    switch input {
    case .tick:
      let isConnected = transport.connectionState == .connected
      if isConnected && !wasConnected { perform(session.handle(.connected, now: now)) }
      wasConnected = isConnected
      askDevice()
      perform(session.handle(.clock, now: now))
      perform(supervisor.tick(now: now))
      upload()
      giveUpIfDue()
    case .transport(.message(let frames)):
      lastWord = now
      do {
        perform(session.handle(.received(try codec.decode(frames, from: .coordinator)), now: now))
      } catch {
        perform(session.handle(.malformed(error), now: now))
      }
    case .transport(.undeliverable): perform(session.handle(.undeliverable, now: now))
    case .transportEnded: end = end ?? .stopped("the connection was closed")
    case .signal(let name):
      note(.info("\(name): giving the trial back; once more to leave at once"))
      perform(session.handle(.stop(name), now: now))
    case .trainer(let from, let event):
      if from == generation { handle(event) }
    }
  }

  private func handle(_ event: ChildProcess.Event) {
    switch event {
    case .output(let line):
      do {
        perform(supervisor.receive(try TrainerCodec.message(line), now: now))
      } catch {
        perform(supervisor.broken("\(error)"))
      }
    case .log(let line):
      supervisor.log(line)
      try? trainerLog?.write(contentsOf: Data((line + "\n").utf8))
    case .ended(let end):
      trainer = nil
      perform(supervisor.ended(end, now: now))
    }
  }

  // MARK: Actions

  private func perform(_ actions: [WorkerSession.Action]) {
    for action in actions {
      switch action {
      case .send(let envelope): transport.send(codec.encode(envelope))
      case .keep(let submission): save { try file.keep(submission) }
      case .forget(let token, let verdict):
        save { try file.forget(token) }
        acknowledged(token, verdict)
        note(.info("outcome of attempt \(token) was acknowledged as \(verdict.rawValue)"))
      case .execute(let assignment):
        let request = EvaluationRequest(
          configuration: assignment.configuration, seed: assignment.seed, trial: assignment.trial,
          attempt: assignment.attempt, scratch: scratchFolder(assignment.trial))
        note(.info("trial \(assignment.trial) (attempt \(assignment.attempt)): \(assignment.configuration)"))
        trials[assignment.attempt] = assignment.trial
        perform(supervisor.execute(request, now: now))
      case .interrupt(let token, let reason):
        note(.info("attempt \(token) is interrupted: \(reason.rawValue)"))
        perform(supervisor.interrupt(token, reason, now: now))
      case .reconnect: transport.reconnect()
      case .welcomed(let welcome):
        if let known = file.studyIdentifier, known != welcome.studyIdentifier { save { try uploads.removeAll() } }
        save { try file.setStudy(welcome.studyIdentifier) }
        note(.connected(study: welcome.study, endpoint: "\(settings.endpoint)"))
        for warning in welcome.warnings { note(.warning(warning)) }
      case .unanswered(_, let everWelcomed): note(.warning(diagnosis(everWelcomed: everWelcomed)))
      case .chunkAcknowledged(let digest, let offset, let verdict): uploaded(digest, offset, verdict)
      case .leave(let departure): leave(departure)
      case .log(let text): note(.info(text))
      }
    }
  }

  private var deviceDue: Duration = .zero

  private func askDevice() {
    guard let ask = settings.deviceStatus, now >= deviceDue else { return }
    deviceDue = now + settings.session.heartbeat
    perform(session.handle(.device(ask()), now: now))
  }

  private var trials: [AttemptToken: Int] = [:]
  private var finishedTrials: Set<Int> = []

  private func perform(_ effects: [TrainerSupervisor.Effect]) {
    for effect in effects {
      switch effect {
      case .ready:
        note(.info("the trainer is ready"))
        perform(session.handle(.evaluatorReady, now: now))
      case .lost: perform(session.handle(.evaluatorLost, now: now))
      case .started(let token): perform(session.handle(.started(token), now: now))
      case .progress(let token, let progress): perform(session.handle(.progress(token, progress), now: now))
      case .report(let token, let step, let values):
        let report = IntermediateReport(token: token, trial: trials[token] ?? 0, step: step, values: values)
        perform(session.handle(.report(report), now: now))
      case .finished(let token, let outcome): finish(token, outcome)
      case .spawn: spawn()
      case .command(let command): trainer?.write(TrainerCodec.line(command))
      case .kill: trainer?.kill(SIGKILL, group: true)
      case .note(let text): note(text)
      case .giveUp(let text):
        perform(session.handle(.stop("the evaluator cannot work"), now: now))
        end = .unavailable(text)
      }
    }
  }

  private func finish(_ token: AttemptToken, _ outcome: TrainerSupervisor.Outcome) {
    let trial = trials.removeValue(forKey: token)
    let submission: Submission
    switch outcome {
    case .result(let result, let files):
      unacknowledgedFiles[token] = files
      if let trial { finishedTrials.insert(trial) }
      // Before the outcome is handed over: a draining worker must not leave between acknowledgement and upload.
      if !files.isEmpty { perform(session.handle(.uploading(true), now: now)) }
      submission = .result(
        ResultReport(
          attempt: token,
          result: TrialResult(
            objectives: result.objectives, standardErrors: result.standardErrors, metrics: result.metrics,
            artifacts: files.map(\.reference))))
      note(.info("trial \(trial ?? -1) is finished"))
    case .failure(let started, let record):
      submission = .failure(FailureReport(attempt: token, started: started, record: record))
      note(.warning("trial \(trial ?? -1) failed (\(record.failureClass)): \(record.message)"))
    case .released(let reason, let step):
      submission = .released(ReleaseReport(attempt: token, reason: reason, checkpointStep: step))
      note(.info("trial \(trial ?? -1) was given back: \(reason.rawValue)"))
    }
    perform(session.handle(.finished(submission), now: now))
  }

  // MARK: Artifacts

  /// The outcome is settled: its files may go, if it counts.
  private func acknowledged(_ token: AttemptToken, _ verdict: Acknowledgement.Verdict) {
    if let files = unacknowledgedFiles.removeValue(forKey: token), verdict == .accepted || verdict == .duplicate {
      save { try uploads.add(files) }
    }
    if uploads.isEmpty { uploadsAreDone() } else { upload() }
  }

  /// Nothing waits any more: the scratch folders of finished trials may go, and so may a draining worker.
  private func uploadsAreDone() {
    guard unacknowledgedFiles.isEmpty else { return }
    for trial in finishedTrials { try? FileManager.default.removeItem(at: scratchFolder(trial)) }
    finishedTrials = []
    perform(session.handle(.uploading(false), now: now))
  }

  private func scratchFolder(_ trial: Int) -> URL {
    settings.stateFolder.appendingPathComponent("trials/\(trial)")
  }

  private func upload() {
    guard session.state == .active, !uploads.isEmpty else { return }
    if session.phase == .draining, uploads.attempts > 3 {
      // The coordinator is gone or does not want them; the files stay where they are.
      note(.warning("leaving with artifacts that were not taken; they lie under \(settings.stateFolder.path)/trials"))
      perform(session.handle(.uploading(false), now: now))
      return
    }
    do {
      if let chunk = try uploads.due(now: now) { perform(session.handle(.chunk(chunk), now: now)) }
    } catch {
      note(.warning("an artifact could not be read: \(error)"))
    }
  }

  private func uploaded(_ digest: String, _ offset: Int, _ verdict: Acknowledgement.Verdict) {
    save {
      guard let done = try uploads.acknowledged(sha256: digest, offset: offset, verdict) else { return }
      if done.isRefused {
        note(
          .warning(
            "the coordinator did not take \(done.artifact.reference.name); it stays at \(done.artifact.url.path)"))
      } else {
        try? FileManager.default.removeItem(at: done.artifact.url)
      }
    }
    if uploads.isEmpty { uploadsAreDone() } else { upload() }
  }

  private func spawn() {
    generation += 1
    let current = generation
    let feed = feed
    do {
      trainer = try ChildProcess(
        executable: settings.trainer.executable, arguments: settings.trainer.arguments,
        environment: settings.trainer.environment, lineLimit: TrainerCodec.lineLimit
      ) { feed.yield(.trainer(current, $0)) }
      note(.info("trainer started (process \(trainer?.pid ?? 0))"))
    } catch {
      note(.warning("\(error)"))
      perform(supervisor.ended(ProcessEnd(word: 127 << 8), now: now))
    }
  }

  private func save(_ body: () throws -> Void) {
    do {
      try body()
    } catch {
      // The outcome stays in memory and is sent all the same: only a death of this process would lose it.
      note(.warning("\(error)"))
    }
  }

  private func leave(_ departure: WorkerSession.Departure) {
    guard end == nil else { return }
    switch departure {
    case .stopped(let reason): end = .stopped(reason)
    case .drained(let reason): end = .drained(reason)
    case .refused(let refusal): end = .refused(refusal)
    }
  }

  /// Leaves where nobody has answered for too long; a trial that is under way is finished first.
  private func giveUpIfDue() {
    guard let limit = settings.giveUpAfter, end == nil, session.current == nil, session.state == .connecting,
      now - lastWord >= limit
    else { return }
    let kept =
      session.retained.isEmpty
      ? "" : "; \(session.retained.count) outcome(s) are kept in \(settings.stateFolder.path) for its next start"
    end = .gaveUp("no word from the coordinator at \(settings.endpoint) for \(limit)\(kept)")
  }

  /// What may be wrong, since a server that does not admit a key says nothing.
  private func diagnosis(everWelcomed: Bool) -> String {
    let place = settings.endpoint
    let advice: String
    switch transport.connectionState {
    case .unreachable:
      advice =
        "nobody listens there: is the coordinator running, are host and port right, does a firewall stand between?"
    case .handshakeFailed:
      advice =
        "it refuses the handshake: is this worker's public key authorised there (engram keys authorize), and is the "
        + "server.public here the coordinator's?"
    case .connected: advice = "the connection stands, but the coordinator is silent: it may be busy or stopped"
    case .connecting: advice = "no connection yet: the coordinator may be down, or this worker's key not authorised"
    }
    var rest = "trying on"
    if session.current != nil { rest += "; the present trial goes on and its outcome is kept" }
    if !session.retained.isEmpty { rest += "; \(session.retained.count) outcome(s) are kept for it" }
    if let limit = settings.giveUpAfter {
      rest += "; giving up when there was no word for \(limit)"
    } else if everWelcomed {
      // Only a coordinator could tell.
      rest += "; if the study has ended meanwhile, stop this worker (Ctrl-C), or start workers with --give-up-after"
    }
    return "no answer from the coordinator at \(place): \(advice); \(rest)"
  }
}

/// SIGTERM, SIGINT and SIGUSR1 as events; a second one ends the process at once.
///
/// What comes within a second of the first is the same request: a scheduler signals every process of a job, and the
/// parent passes the signal on as well.
final class SignalWatch {
  private var sources: [any DispatchSourceSignal] = []

  init(_ onSignal: @escaping @Sendable (String) -> Void) {
    let queue = DispatchQueue(label: "engram.signals")
    let count = SignalCount()
    for (number, name) in [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT"), (SIGUSR1, "SIGUSR1")] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler {
        switch count.next(at: ContinuousClock.now) {
        case .first: onSignal(name)
        case .echo: break
        case .second: _exit(130)
        }
      }
      source.resume()
      sources.append(source)
    }
  }

  func stop() { sources.forEach { $0.cancel() } }
}

/// Tells a second signal from an echo of the first.
final class SignalCount: Sendable {
  enum Verdict { case first, echo, second }
  private let first = Mutex<ContinuousClock.Instant?>(nil)

  func next(at now: ContinuousClock.Instant) -> Verdict {
    first.withLock { first in
      guard let known = first else {
        first = now
        return .first
      }
      return now - known < .seconds(1) ? .echo : .second
    }
  }
}
