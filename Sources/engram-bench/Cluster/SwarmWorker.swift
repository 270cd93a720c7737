import BayesianOptimization
import Foundation
import RandomStreams
import Study
import Transport
import WireProtocol

/// One worker of a swarm.
actor SwarmWorker {
  private let settings: AnalyticSwarm.Settings
  private let client: ZeroMQClient
  private let codec = MessageCodec()
  private let clock = ContinuousClock()
  private let origin: ContinuousClock.Instant
  private var session: WorkerSession
  private var counts = SwarmCounts()
  private var readySince: ContinuousClock.Instant?
  /// When each outcome was first sent.
  private var submitted: [AttemptToken: ContinuousClock.Instant] = [:]
  private var hasCome = false
  private var hasLeft = false

  init(_ index: Int, _ settings: AnalyticSwarm.Settings, client: ZeroMQClient) {
    self.settings = settings
    self.client = client
    origin = clock.now
    var timing = WorkerSession.Settings()
    timing.jitterSeed = UInt64(index)
    let hello = Hello(
      worker: "swarm/\(index)", incarnation: UUID().uuidString, study: settings.study, build: "swarm",
      fingerprints: settings.fingerprints, host: "swarm", device: "cpu",
      pid: Int(ProcessInfo.processInfo.processIdentifier),
      capabilities: Capabilities(memoryBytes: 1 << 30, cores: 1, evaluator: "analytic"))
    session = WorkerSession(settings: timing, hello: hello)
  }

  /// - Throws: what is wrong with a message that cannot be read: the measurement would mean nothing.
  func run() async throws -> SwarmCounts {
    hasCome = true
    handle(.evaluatorReady)
    handle(.clock)
    while !hasLeft, let batch = await client.events.nextBatch(limit: 64) {
      for event in batch {
        guard case .message(let frames) = event else { continue }
        counts.received += 1
        handle(.received(try codec.decode(frames, from: .coordinator)))
      }
    }
    return counts
  }

  func tick() {
    if hasCome && !hasLeft { handle(.clock) }
  }

  private func handle(_ event: WorkerSession.Event) {
    for action in session.handle(event, now: origin.duration(to: clock.now)) {
      switch action {
      case .send(let envelope): send(envelope)
      case .execute(let assignment): execute(assignment)
      case .forget(let token, _):
        counts.trials += 1
        if let start = submitted.removeValue(forKey: token) {
          counts.acknowledgements.append(Self.seconds(start.duration(to: clock.now)))
        }
      case .interrupt(let token, let reason):
        handle(.finished(.released(ReleaseReport(attempt: token, reason: reason))))
      case .reconnect: client.reconnect()
      case .leave:
        hasLeft = true
        client.close()
      case .keep, .welcomed, .chunkAcknowledged, .unanswered, .log: break
      }
    }
  }

  private func send(_ envelope: Envelope) {
    counts.sent += 1
    switch envelope.message {
    case .ready: readySince = clock.now
    case .result(let report): if submitted[report.attempt] == nil { submitted[report.attempt] = clock.now }
    default: break
    }
    client.send(codec.encode(envelope))
  }

  private func execute(_ assignment: Assignment) {
    if let since = readySince {
      let wait = Self.seconds(since.duration(to: clock.now))
      if counts.firstAnswers.isEmpty { counts.firstAnswers.append(wait) } else { counts.laterAnswers.append(wait) }
      readySince = nil
    }
    handle(.started(assignment.attempt))
    guard settings.seconds > 0 else { return finish(assignment) }
    var stream = RandomStream(
      seed: settings.seed, purpose: "swarm/length", index: UInt64(assignment.attempt.rawValue))
    let length = settings.seconds * (0.5 + stream.uniform())
    Task {
      // Nobody cancels this task.
      try? await Task.sleep(for: .seconds(length))
      finish(assignment)
    }
  }

  private func finish(_ assignment: Assignment) {
    let token = assignment.attempt
    do {
      let values = try settings.problem.observe(assignment.configuration, seed: assignment.seed, index: 0)
      handle(.finished(.result(ResultReport(attempt: token, result: TrialResult(objectives: values)))))
    } catch {
      let record = FailureRecord(failureClass: .bug, message: "\(error)")
      handle(.finished(.failure(FailureReport(attempt: token, started: true, record: record))))
    }
  }

  private static func seconds(_ duration: Duration) -> Double {
    Double(duration.components.seconds) + Double(duration.components.attoseconds) * 1e-18
  }
}
