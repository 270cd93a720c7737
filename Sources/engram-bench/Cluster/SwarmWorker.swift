import BayesianOptimization
import Foundation
import Foundations
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

  private var now: Duration { origin.duration(to: clock.now) }

  /// - Throws: what is wrong with a message that cannot be read: the measurement would mean nothing.
  func run() async throws -> SwarmCounts {
    hasCome = true
    if let request = session.evaluatorReady() { send(request) }
    passTime()
    while !hasLeft, let batch = await client.events.nextBatch(limit: 64) {
      for event in batch {
        guard case .message(let frames) = event else { continue }
        counts.received += 1
        receive(try codec.decode(frames, from: .coordinator))
      }
    }
    return counts
  }

  func tick() {
    if hasCome && !hasLeft { passTime() }
  }

  private func receive(_ envelope: Envelope) {
    switch session.receive(envelope, now: now) {
    case .nothing, .chunkAcknowledged: break
    case .welcomed(_, let dropped, let messages):
      if let token = dropped?.attempt { release(token, .cancelled) }
      messages.forEach(send)
    case .execute(let assignment, let acceptance):
      send(acceptance)
      execute(assignment)
    case .repeated(let messages), .retain(_, let messages): messages.forEach(send)
    case .interrupt(let token, let reason): release(token, reason)
    case .acknowledged(let token, _, let next):
      counts.trials += 1
      if let start = submitted.removeValue(forKey: token) {
        counts.acknowledgements.append(start.duration(to: clock.now).seconds)
      }
      proceed(next)
    case .refused(_, let message): if let message { send(message) }
    case .leave(let farewell): leave(farewell)
    }
  }

  private func passTime() {
    switch session.advance(to: now) {
    case .nothing: break
    case .send(let messages): messages.forEach(send)
    case .greet(let greeting):
      if greeting.needsNewConnection { client.reconnect() }
      send(greeting.hello)
    case .silent(let hello): send(hello)
    case .leave(let farewell): leave(farewell)
    }
  }

  private func finish(_ submission: Submission) {
    switch session.finish(submission, now: now) {
    case .unknown: break
    case .retain(_, let messages): messages.forEach(send)
    case .dropped(let next): proceed(next)
    }
  }

  private func release(_ token: AttemptToken, _ reason: ReleaseReport.Reason) {
    finish(.released(ReleaseReport(attempt: token, reason: reason)))
  }

  private func proceed(_ next: WorkerSession.Next) {
    switch next {
    case .wait: break
    case .ask(let request): send(request)
    case .leave(let farewell): leave(farewell)
    }
  }

  private func leave(_ farewell: WorkerSession.Farewell) {
    if let goodbye = farewell.goodbye { send(goodbye) }
    hasLeft = true
    client.close()
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
      let wait = since.duration(to: clock.now).seconds
      if counts.firstAnswers.isEmpty { counts.firstAnswers.append(wait) } else { counts.laterAnswers.append(wait) }
      readySince = nil
    }
    if let message = session.start(assignment.attempt) { send(message) }
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
      finish(.result(ResultReport(attempt: token, result: TrialResult(objectives: values))))
    } catch {
      let record = FailureRecord(failureClass: .bug, message: "\(error)")
      finish(.failure(FailureReport(attempt: token, started: true, record: record)))
    }
  }
}
