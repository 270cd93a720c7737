import BayesianOptimization
import RandomStreams
import SessionTesting
import Study

@testable import WireProtocol

/// A worker and a coordinator session with a lossy network and simulated time between them; no thread, no clock.
struct SessionPair {
  var now: Duration = .zero
  var worker: WorkerSession
  var coordinator: CoordinatorSession
  var settings: CoordinatorSession.Settings
  var toWorker: [(at: Duration, envelope: Envelope)] = []
  var toCoordinator: [(at: Duration, envelope: Envelope)] = []
  var stream: RandomStream
  /// Probability that a message is lost, doubled.
  var loss = 0.0
  var duplication = 0.0
  var isPartitioned = false

  // The coordinator's store.
  var queue: [Assignment] = []
  var committed: [AttemptToken: Submission] = [:]
  var live: AttemptToken?
  var renewals = 0
  var devices: [DeviceStatus] = []
  var storeFails = 0.0

  // The worker's side.
  var executing: (assignment: Assignment, until: Duration)?
  var kept: [AttemptToken: Submission] = [:]
  var forgotten: [AttemptToken] = []
  var left: WorkerSession.Departure?
  var reconnects = 0
  var closures: [CoordinatorSession.Closure] = []
  var executions: [AttemptToken: Int] = [:]
  var duration: Duration = .seconds(3)

  static let fingerprints = Fingerprints(base: "b", data: "d", settings: "s")

  static func hello(incarnation: String = "i1") -> Hello {
    Hello(
      worker: "w", incarnation: incarnation, study: "quick", build: "1", fingerprints: fingerprints, host: "h",
      device: "cpu", pid: 1, capabilities: Capabilities(memoryBytes: 1 << 30, cores: 1, evaluator: "analytic"))
  }

  init(seed: UInt64 = 1, trials: Int = 3) {
    stream = RandomStream(seed: seed, purpose: "test/sessions")
    settings = CoordinatorSession.Settings(
      study: "quick", studyIdentifier: "id1", session: "s1", build: "1", fingerprints: Self.fingerprints)
    settings.lease = .seconds(20)
    settings.heartbeat = .seconds(2)
    worker = WorkerSession(hello: Self.hello())
    coordinator = CoordinatorSession(settings: settings, now: .zero)
    queue = (0..<trials).map { number in
      Assignment(
        attempt: AttemptToken(number + 1), trial: number, configuration: .factors(["x": .integer(number)]),
        seed: UInt64(number), leaseMilliseconds: 20_000)
    }
    perform(worker.handle(.evaluatorReady, now: now))
  }

  private mutating func copies() -> Int {
    if isPartitioned || stream.uniform() < loss { return 0 }
    return stream.uniform() < duplication ? 2 : 1
  }

  mutating func perform(_ actions: [WorkerSession.Action]) {
    for action in actions {
      switch action {
      case .send(let envelope):
        for _ in 0..<copies() {
          toCoordinator.append((now + .milliseconds(1 + stream.integer(below: 300)), envelope))
        }
      case .keep(let submission): kept[submission.attempt] = submission
      case .forget(let token, _):
        kept[token] = nil
        forgotten.append(token)
      case .execute(let assignment):
        executions[assignment.attempt, default: 0] += 1
        executing = (assignment, now + duration)
        perform(worker.handle(.started(assignment.attempt), now: now))
      case .interrupt(let token, let reason):
        executing = nil
        perform(worker.handle(.finished(.released(ReleaseReport(attempt: token, reason: reason))), now: now))
      case .reconnect:
        reconnects += 1
        coordinator = CoordinatorSession(settings: settings, now: now)
        toWorker = []
        toCoordinator = []
      case .leave(let departure): left = departure
      case .welcomed, .unanswered, .log, .chunkAcknowledged: break
      }
    }
  }

  mutating func perform(_ actions: [CoordinatorSession.Action]) {
    for action in actions {
      switch action {
      case .send(let envelope):
        for _ in 0..<copies() { toWorker.append((now + .milliseconds(1 + stream.integer(below: 300)), envelope)) }
      case .introduced(let hello, _):
        let continues = hello.running != nil && hello.running == live
        if let token = live, !continues, !hello.retained.contains(token) { requeue(token) }
        perform(coordinator.handle(.admit(continues: continues), now: now))
      case .idle:
        guard live == nil, !queue.isEmpty else { continue }
        let assignment = queue.removeFirst()
        live = assignment.attempt
        given[assignment.attempt] = assignment
        perform(coordinator.handle(.assign(assignment), now: now))
      case .submit(let id, let submission):
        if stream.uniform() < storeFails { continue }
        let token = submission.attempt
        let verdict: Acknowledgement.Verdict
        if let known = committed[token] {
          verdict = known == submission ? .duplicate : .conflict
        } else {
          committed[token] = submission
          verdict = live == token ? .accepted : .superseded
          if live == token, case .released = submission { requeue(token) }
        }
        if live == token { live = nil }
        perform(coordinator.handle(.settled(id: id, verdict), now: now))
      case .renew: renewals += 1
      case .device(let status): devices.append(status)
      case .lost(let token): if live == token { requeue(token) }
      case .closed(let closure):
        closures.append(closure)
        if closure == .silent { coordinator = CoordinatorSession(settings: settings, now: now) }
      case .admitted, .started, .progress, .report, .store, .log, .refusedOutcome, .refusedReport: break
      }
    }
  }

  var given: [AttemptToken: Assignment] = [:]
  var nextToken = 1000

  mutating func requeue(_ token: AttemptToken) {
    live = nil
    guard var assignment = given[token] else { return }
    assignment.attempt = AttemptToken(nextToken)
    nextToken += 1
    queue.append(assignment)
  }

  /// A new coordinator process: sessions and the network are gone, the store stays.
  mutating func restartCoordinator(identifier: String = "id1") {
    settings.session += "x"
    settings.studyIdentifier = identifier
    coordinator = CoordinatorSession(settings: settings, now: now)
    toWorker = []
    toCoordinator = []
  }

  /// A new worker process: the kept outcomes stay.
  mutating func restartWorker() {
    executing = nil
    toWorker = []
    toCoordinator = []
    var hello = Self.hello(incarnation: "i\(nextToken)")
    hello.studyIdentifier = "id1"
    worker = WorkerSession(hello: hello, retained: kept.values.sorted { $0.attempt < $1.attempt })
    coordinator = CoordinatorSession(settings: settings, now: now)
    perform(worker.handle(.evaluatorReady, now: now))
  }

  mutating func step(_ step: Duration = .milliseconds(100)) {
    now += step
    let forWorker = toWorker.filter { $0.at <= now }
    toWorker.removeAll { $0.at <= now }
    let forCoordinator = toCoordinator.filter { $0.at <= now }
    toCoordinator.removeAll { $0.at <= now }
    for (_, envelope) in forCoordinator { perform(coordinator.handle(.received(envelope), now: now)) }
    for (_, envelope) in forWorker { perform(worker.handle(.received(envelope), now: now)) }
    if let (assignment, until) = executing, until <= now {
      executing = nil
      let report = ResultReport(
        attempt: assignment.attempt, result: TrialResult(objectives: ["loss": Double(assignment.trial)]))
      perform(worker.handle(.finished(.result(report)), now: now))
    }
    perform(worker.handle(.clock, now: now))
    perform(coordinator.handle(.clock, now: now))
    // A free worker that was told to wait gets what has become due.
    if coordinator.isIdle, live == nil, !queue.isEmpty {
      perform([CoordinatorSession.Action.idle])
    }
  }

  mutating func run(_ span: Duration) {
    let end = now + span
    while now < end { step() }
  }

  /// Trials with a committed result.
  var finishedTrials: Set<Int> {
    Set(
      committed.values.compactMap { submission in
        if case .result(let report) = submission { Int(report.result.objectives["loss"] ?? -1) } else { nil }
      })
  }
}
