import Dispatch
import Foundation
import Glibc
import Processes
import Study
import Synchronization
import Transport
import WireProtocol

/// A worker: one session, one transport, one trainer process, glued by one loop.
///
/// Everything that happens (frames, lines of the trainer, signals, ticks) goes through one stream and is handled one
/// after the other; the decisions are made by ``WorkerSession`` and `TrainerSupervisor`.
package actor WorkerRuntime {
  enum Input: Sendable {
    case transport(ClientEvent)
    case transportEnded
    case tick
    case trainer(Int, ChildProcess.Event)
    case signal(String)
  }

  let settings: WorkerSettings
  let transport: any ClientTransport
  let note: @Sendable (WorkerNote) -> Void
  let codec = MessageCodec()
  let clock = ContinuousClock()
  let origin: ContinuousClock.Instant
  let file: OutcomeFile
  var session: WorkerSession
  var supervisor: TrainerSupervisor
  private var trainer: ChildProcess?
  private var generation = 0
  private var end: WorkerEnd?
  /// Why the evaluator cannot work; the session is leaving.
  private var unavailable: String?
  private var wasConnected = false
  /// When the coordinator was heard of last; at first, when this worker began.
  private var lastWord: Duration = .zero
  private let inputs: AsyncStream<Input>
  let feed: AsyncStream<Input>.Continuation
  private let trainerLog: TrainerLog
  let mark: ProcessMark
  let scratch: ScratchFolders
  var uploads: UploadQueue
  /// Results whose files or scratch folders are not settled yet.
  var open: OpenResults
  var trials: [AttemptToken: Int] = [:]
  /// Trials whose scratch folders may go once everything is sent.
  var finishedTrials: Set<Int> = []
  /// Reports that wait for their turn, oldest first, and how many may be sent before there is room again.
  var waitingReports: [IntermediateReport] = []
  var reportRoom = 0
  var reportRoomDue: Duration = .zero
  /// A result that waits until its reports have left.
  var heldResult: (token: AttemptToken, outcome: TrainerSupervisor.Outcome)?
  /// Attempts of which a report was not sent for its form.
  var unsentReports: Set<AttemptToken> = []
  var deviceDue: Duration = .zero
  var alarm: Alarm?

  /// - Parameters:
  ///   - transport: the connection; closed when the worker ends.
  ///   - note: takes what the operator should read.
  /// - Throws: `OutcomeFileError` when the state folder cannot be used.
  package init(
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
    open = OpenResults(file: settings.stateFolder.appendingPathComponent("results.json"))
    scratch = ScratchFolders(stateFolder: settings.stateFolder)
    mark = .worker(stateFolder: settings.stateFolder)
    (inputs, feed) = AsyncStream<Input>.makeStream()
    trainerLog = TrainerLog(
      settings.stateFolder.appendingPathComponent("trainer.log"), bytes: settings.trainerLogBytes)
  }

  var now: Duration { origin.duration(to: clock.now) }

  /// Works until the study is over, a signal comes, or the worker is refused.
  package func run() async -> WorkerEnd {
    if let damage = file.damage { note(.warning(damage)) }
    clearLeftovers()
    if !uploads.isEmpty { setUploading(true) }
    if !file.retained.isEmpty {
      note(.info("\(file.retained.count) outcome(s) of an earlier run wait for the coordinator"))
    }
    if settings.ownsProcess { _ = Subreaper.become() }
    let feed = feed
    let transport = transport
    let reader = Task {
      for await event in transport.events { feed.yield(.transport(event)) }
      feed.yield(.transportEnded)
    }
    let signals = settings.handlesSignals ? watchSignals() : nil
    feed.yield(.tick)
    for await input in inputs {
      handle(input)
      if end != nil { break }
      setAlarm()
    }
    alarm?.task.cancel()
    signals?.stop()
    await shutDownTrainer()
    transport.close()
    // The socket's thread ends when the goodbye has left, or after the linger time; the process must not end before.
    await reader.value
    return end ?? .stopped("cancelled")
  }

  private func watchSignals() -> SignalWatch {
    // A scheduler signals every process of a job, and the parent passes the signal on as well.
    SignalWatch([SIGTERM, SIGINT, SIGUSR1], repetition: .endsProcess(echo: .seconds(1))) { [feed] in
      feed.yield(.signal(ProcessEnd.name(Int($0))))
    }
  }

  /// Asks the trainer to leave and waits until it and everything that it has started is gone, for a bounded time.
  private func shutDownTrainer() async {
    generation += 1
    guard let trainer else { return }
    self.trainer = nil
    // A configuration is the only part of a command that may have no JSON form.
    if let line = try? TrainerCodec.line(.exit) { trainer.write(line) }
    // Its standard input ends: it leaves, with its programs, wherever it is.
    trainer.closeInput()
    trainer.kill(SIGTERM, group: true)
    let limit = clock.now + Self.leaveGrace
    while !trainer.isBuried {
      if clock.now >= limit { trainer.kill(SIGKILL, group: true) }
      guard clock.now < limit + Self.leaveGrace else { return }
      // Not ended by the cancellation of this task.
      await Task { try? await Task.sleep(for: .milliseconds(10)) }.value
    }
  }

  /// How long the trainer may take to leave at the end, and how long its killed processes may take to vanish.
  private static let leaveGrace: Duration = .seconds(3)

  private func handle(_ input: Input) {
    switch input {
    case .tick:
      alarm = nil
      let isConnected = transport.connectionState == .connected
      if isConnected && !wasConnected, let greeting = session.transportConnected(now: now) { greet(greeting) }
      wasConnected = isConnected
      askDevice()
      sendReports()
      passTime()
      perform(supervisor.tick(now: now))
      upload()
      giveUpIfDue()
    case .transport(.message(let frames)):
      lastWord = now
      do {
        receive(try codec.decode(frames, from: .coordinator))
      } catch {
        note(.info("refused a frame of the coordinator: \(error)"))
      }
    case .transport(.undeliverable): break
    case .transportEnded: end = end ?? .stopped("the connection was closed")
    case .signal(let name):
      note(.info("\(name): giving the trial back; once more to leave at once"))
      stop(name)
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
      if let problem = trainerLog.write(line) { note(.warning(problem)) }
    case .ended(let end):
      trainer = nil
      perform(supervisor.ended(end, now: now))
    }
  }

  // MARK: Actions

  func execute(_ assignment: Assignment) {
    let request = EvaluationRequest(
      configuration: assignment.configuration, seed: assignment.seed, trial: assignment.trial,
      attempt: assignment.attempt, scratch: scratch.url(assignment.trial))
    let configuration = assignment.configuration.isNull ? "the base without memory" : "\(assignment.configuration)"
    note(.info("trial \(assignment.trial) (attempt \(assignment.attempt)): \(configuration)"))
    trials[assignment.attempt] = assignment.trial
    perform(supervisor.execute(request, now: now))
  }

  func interrupt(_ token: AttemptToken, _ reason: ReleaseReport.Reason) {
    note(.info("attempt \(token) is interrupted: \(reason.rawValue)"))
    perform(supervisor.interrupt(token, reason, now: now))
  }

  private func askDevice() {
    guard let ask = settings.deviceStatus, now >= deviceDue else { return }
    deviceDue = now + settings.session.heartbeat
    session.device = ask()
  }

  private func perform(_ effects: [TrainerSupervisor.Effect]) {
    for effect in effects {
      switch effect {
      case .ready:
        note(.info("the trainer is ready"))
        send(session.evaluatorReady())
      case .lost: session.evaluatorLost()
      case .started(let token): send(session.start(token))
      case .progress(let token, let progress): session.update(token, progress)
      case .report(let token, let step, let values):
        pass(IntermediateReport(token: token, trial: trials[token] ?? 0, step: step, values: values))
      case .finished(let token, let outcome): finishAfterReports(token, outcome)
      case .spawn: spawn()
      case .command(let command):
        do {
          trainer?.write(try TrainerCodec.line(command))
        } catch {
          perform(supervisor.refuse("the trial cannot be handed to the trainer: \(error)"))
        }
      case .kill: trainer?.kill(SIGKILL, group: true)
      case .note(let text): note(text)
      case .giveUp(let text):
        // The session leaves when the trial that is given back has been acknowledged, or after a few seconds.
        unavailable = text
        stop("it cannot work: \(text)")
      }
    }
  }

  private func spawn() {
    generation += 1
    let current = generation
    let feed = feed
    do {
      let (mark, adoptsOrphans) = (mark, settings.ownsProcess)
      trainer = try ChildProcess(
        executable: settings.trainer.executable, arguments: settings.trainer.arguments,
        environment: settings.trainer.environment.merging([mark.name: mark.value]) { $1 },
        lineLimit: TrainerCodec.lineLimit,
        // Programs lead groups of their own: they are found by what they inherit.
        onExit: { ProcessFamily(leader: $0, mark: mark, adoptsOrphans: adoptsOrphans).end() },
        onEvent: { feed.yield(.trainer(current, $0)) })
      note(.info("trainer started (process \(trainer?.pid ?? 0))"))
    } catch {
      note(.warning("\(error)"))
      perform(supervisor.ended(ProcessEnd(word: 127 << 8), now: now))
    }
  }

  func end(_ departure: WorkerSession.Departure) {
    guard end == nil else { return }
    if let unavailable, case .stopped = departure {
      end = .unavailable(unavailable)
      return
    }
    switch departure {
    case .stopped(let reason): end = .stopped(reason)
    case .drained(let reason): end = .drained(reason)
    case .refused(let refusal): end = .refused(refusal)
    }
  }

  /// Leaves where nobody has answered for too long; a trial that is under way is finished first.
  private func giveUpIfDue() {
    guard let limit = settings.giveUpAfter, end == nil, session.current == nil, session.isConnecting,
      now - lastWord >= limit
    else { return }
    let kept =
      session.retained.isEmpty
      ? "" : "; \(session.retained.count) outcome(s) are kept in \(settings.stateFolder.path) for its next start"
    end = .gaveUp("no word from the coordinator at \(settings.endpoint) for \(limit)\(kept)")
  }
}
