import Foundation
import Foundations
import Glibc
import Processes
import Study
import WireProtocol

/// Supervises one trainer process: pure decisions over injected time; the processes are started through a closure.
///
/// One trial at a time. Whatever happens to the trainer, `events` ends every trial that was begun in exactly one
/// `finished`.
struct TrainerSupervisor {
  /// What came of a line, an end or a tick.
  enum Effect: Equatable {
    case ready
    case lost
    case started(AttemptToken)
    case progress(AttemptToken, AttemptProgress)
    case report(AttemptToken, step: Int, values: [String: Double])
    case finished(AttemptToken, Outcome)
    /// Start a new trainer process.
    case spawn
    /// Send this line to the trainer.
    case command(TrainerCommand)
    /// Kill the trainer and its group.
    case kill
    case note(WorkerNote)
    /// The evaluator cannot work: leave.
    case giveUp(String)
  }

  /// How a trial ended.
  enum Outcome: Equatable {
    case result(EvaluationResult, files: [LocalArtifact])
    case failure(started: Bool, FailureRecord)
    case released(ReleaseReport.Reason, checkpointStep: Int?)
  }

  enum State: Equatable {
    /// No process; the next start is due then.
    case absent(until: Duration)
    case preparing
    case idle
    /// Alive, but no trial is wanted before then: the last ones gave themselves back.
    case resting(until: Duration)
    case running

    var isAlive: Bool {
      switch self {
      case .idle, .resting, .running: true
      case .absent, .preparing: false
      }
    }
  }

  struct Work: Equatable {
    var request: EvaluationRequest
    var hasStarted = false
    /// Why it is to stop, and when patience ends.
    var interruption: (reason: ReleaseReport.Reason, deadline: Duration)?

    static func == (left: Work, right: Work) -> Bool { left.request == right.request }
  }

  var settings: WorkerSettings
  private(set) var state = State.absent(until: .zero)
  private(set) var work: Work?
  private var lastSign: Duration = .zero
  private var baseline = 0
  private var starts = 0
  private(set) var logLines: [String] = []
  private(set) var outOfMemoryKills = 0
  /// Why we killed the process ourselves, if we did.
  private var ownKill: String?
  private(set) var unavailable: String?
  /// Trials in a row that gave themselves back without being asked.
  var releases = 0
  let countKills: () -> Int

  /// - Parameter countKills: the kernel's count of out-of-memory kills.
  init(settings: WorkerSettings, countKills: @escaping () -> Int = ProcessMemory.outOfMemoryKills) {
    self.settings = settings
    self.countKills = countKills
  }

  /// Lines of the log that go into a failure record.
  static let logLineCount = 20

  mutating func log(_ line: String) {
    // Shown on terminals and sent on: no control characters of a program's.
    logLines.append(line.printable(limit: 2000))
    if logLines.count > Self.logLineCount { logLines.removeFirst() }
  }

  // MARK: Orders

  mutating func execute(_ request: EvaluationRequest, now: Duration) -> [Effect] {
    work = Work(request: request)
    return begin(now: now)
  }

  private mutating func begin(now: Duration) -> [Effect] {
    // A process that is being killed takes no more work; its successor will.
    guard state == .idle, ownKill == nil, let work else { return [] }
    state = .running
    lastSign = now
    outOfMemoryKills = countKills()
    logLines = []
    return [.command(.evaluate(work.request))]
  }

  mutating func interrupt(_ token: AttemptToken, _ reason: ReleaseReport.Reason, now: Duration) -> [Effect] {
    guard let current = work, current.request.attempt == token, current.interruption == nil else { return [] }
    guard state == .running else {
      work = nil
      return [.finished(token, .released(reason, checkpointStep: nil))]
    }
    work?.interruption = (reason, now + settings.cancelGrace)
    return [.command(.cancel)]
  }

  // MARK: Time

  mutating func tick(now: Duration) -> [Effect] {
    switch state {
    case .absent(let until):
      guard now >= until, unavailable == nil else { return [] }
      state = .preparing
      lastSign = now
      starts += 1
      ownKill = nil
      outOfMemoryKills = countKills()
      return [.spawn]
    case .preparing:
      guard ownKill == nil, now - lastSign > settings.prepareTimeout else { return [] }
      return stop("loading base and data made no progress for \(settings.prepareTimeout)")
    case .idle: return begin(now: now)
    case .resting(let until):
      guard now >= until, ownKill == nil else { return [] }
      state = .idle
      return [.ready] + begin(now: now)
    case .running:
      guard ownKill == nil else { return [] }
      if let interruption = work?.interruption, now >= interruption.deadline {
        return stop("the trial did not end within \(settings.cancelGrace) of being cancelled")
      }
      guard now - lastSign > settings.hangTimeout else { return [] }
      return stop("no progress for \(settings.hangTimeout)")
    }
  }

  /// When ``tick(now:)`` has something to do, as far as nothing else happens before; nil where time alone changes nothing.
  var nextDeadline: Duration? {
    switch state {
    case .absent(let until): return unavailable == nil ? until : nil
    case _ where ownKill != nil: return nil
    case .preparing: return lastSign + settings.prepareTimeout
    case .idle: return work == nil ? nil : .zero
    case .resting(let until): return until
    case .running:
      let hang = lastSign + settings.hangTimeout
      return work?.interruption.map { min(hang, $0.deadline) } ?? hang
    }
  }

  private mutating func stop(_ reason: String) -> [Effect] {
    ownKill = reason
    return [.note(.warning("the trainer is killed: \(reason)")), .kill]
  }

  // MARK: The trainer's messages

  mutating func receive(_ message: TrainerMessage, now: Duration) -> [Effect] {
    lastSign = now
    switch message {
    case .ready(let memory):
      baseline = memory
      starts = 0
      state = .idle
      return [.ready] + begin(now: now)
    case .unavailable(let text, let next):
      unavailable = next.map { "\(text); \($0)" } ?? text
      return []
    case .started:
      guard let token = work?.request.attempt else { return [] }
      work?.hasStarted = true
      return [.started(token)]
    case .progress(let progress):
      guard state == .running, let token = work?.request.attempt else { return [] }
      return [.progress(token, progress)]
    case .report(let step, let values):
      guard let token = work?.request.attempt else { return [] }
      return [.report(token, step: step, values: values)]
    case .result(let result, let files, _):
      releases = 0
      return end(.result(result, files: files))
    case .failure(let failureClass, let text, let next, let memory, let lastWords):
      releases = 0
      // The same lines come by the log's pipe as well, sooner or later, and whole: these may have been cut.
      let late = lastWords.filter { words in !logLines.contains { $0.hasPrefix(words) } }
      var record = record(failureClass, text, next: next)
      record.logLines = (logLines + late).suffix(Self.logLineCount)
      record = record.clippedForWire()
      let effects = end(.failure(started: true, record))
      if failureClass == .hardware, !effects.isEmpty {
        // A GPU's context is lost with its first fault: every later call of the process would fail, and every trial.
        return effects + stop("after a hardware failure its device may be lost to it") + [.lost]
      }
      let excess = memory - baseline
      guard failureClass == .outOfMemory, excess > settings.memorySlack, !effects.isEmpty else { return effects }
      let megabytes = excess >> 20
      return effects + stop("after out-of-memory it still holds \(megabytes) MB above its baseline") + [.lost]
    case .cancelled(let step, _, let message):
      guard work?.interruption == nil else {
        return end(.released(work?.interruption?.reason ?? .preempted, checkpointStep: step))
      }
      return givenBack(step, message ?? "the trial gave itself back", now: now)
    }
  }

  /// A trial that nobody has interrupted gave itself back.
  ///
  /// Once may be a scheduler's doing. Again and again it is a program that cannot run here: with doubling pauses
  /// (1, 2, 4 … s) it is tried again, and after too many times in a row the worker leaves.
  private mutating func givenBack(_ step: Int?, _ why: String, now: Duration) -> [Effect] {
    guard let work else { return [] }
    let pause = countRelease()
    let note = noteOfRelease(work.request.trial, why, pause)
    // First the loss: a worker whose trainer rests asks for no work.
    let effects = [.lost, .note(note)] + end(.released(.preempted, checkpointStep: step))
    state = .resting(until: now + pause)
    guard releases >= settings.releaseLimit else { return effects }
    let text = "\(releases) trials in a row were given back without a result; the last: \(why)"
    unavailable = text
    return effects + [.giveUp(text)]
  }

  private mutating func end(_ outcome: Outcome) -> [Effect] {
    guard let token = work?.request.attempt else { return [] }
    work = nil
    state = .idle
    return [.finished(token, outcome)]
  }

  /// The trial could not be handed to the trainer.
  mutating func refuse(_ reason: String) -> [Effect] {
    guard let work else { return [] }
    self.work = nil
    if state == .running { state = .idle }
    return [.finished(work.request.attempt, .failure(started: true, record(.bug, reason, next: nil)))]
  }

  /// A line that is no message of the protocol.
  mutating func broken(_ reason: String) -> [Effect] { stop("it broke the trainer protocol: \(reason)") }

  // MARK: The end of the process

  mutating func ended(_ end: ProcessEnd, now: Duration) -> [Effect] {
    let wasReady = state.isAlive
    let killed = ownKill
    ownKill = nil
    var effects: [Effect] = wasReady ? [.lost] : []
    var pause = Duration.zero
    if let work, state == .running || unavailable != nil {
      self.work = nil
      let outcome = outcome(of: work, end, killed)
      if work.interruption == nil, unavailable == nil, case .released = outcome {
        pause = countRelease()
        effects.append(.note(noteOfRelease(work.request.trial, "the trainer \(end)", pause)))
      } else if case .failure = outcome {
        releases = 0
      }
      effects.append(.finished(work.request.attempt, outcome))
    } else if !wasReady {
      effects.append(.note(.warning("the trainer \(end) before it was ready" + lastWords)))
    } else if killed == nil {
      effects.append(.note(.warning("the trainer \(end) while it was idle" + lastWords)))
    }
    if unavailable != nil || end.status == Int(TrainerMain.unavailableStatus) {
      let text = unavailable ?? "the trainer cannot work" + lastWords
      unavailable = text
      return effects + [.giveUp(text)]
    }
    if !wasReady, starts >= settings.prepareAttempts {
      unavailable = "the trainer did not get ready in \(starts) attempts; it \(end)" + lastWords
      return effects + [.giveUp(unavailable ?? "")]
    }
    if releases >= settings.releaseLimit {
      unavailable = "\(releases) trials in a row were given back without a result; the last: the trainer \(end)"
      return effects + [.giveUp(unavailable ?? "")]
    }
    // At once after a working life; with doubling pauses (1, 2, 4 … 60 s) when it cannot even get ready.
    if !wasReady { pause = .seconds(min(60, 1 << min(starts - 1, 6))) }
    state = .absent(until: now + pause)
    return effects
  }
}
