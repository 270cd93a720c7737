import BayesianOptimization
import CZeroMQ
import Foundation
import Foundations
import SessionTesting
import Study
import Testing
import WireProtocol

@testable import Transport

/// One worker of a ``SessionHost``: the real session over a real socket, with a test function instead of a trainer.
///
/// Belongs to the host's thread.
final class SessionWorker {
  let name: String
  private let host: SessionHost.Options
  private let context: ZeroMQContext
  private let problem: AnalyticProblem
  private let codec = MessageCodec()
  private var session: WorkerSession
  private(set) var socket: ZeroMQSocket?
  private var incarnation = 0
  private var connections = 0
  private var studyIdentifier: String?
  /// The trial in execution and when it ends.
  private var work: (assignment: Assignment, end: Duration)?
  private var results: [AttemptToken: TrialResult] = [:]
  private var asked: Duration?
  private var trials = 0
  /// Nothing happens before: a worker that was killed and is started again.
  private var asleepUntil: Duration?
  var log = SessionHost.Log()
  private(set) var hasLeft = false

  init(_ name: String, _ host: SessionHost.Options, context: ZeroMQContext, problem: AnalyticProblem) throws {
    self.name = name
    self.host = host
    self.context = context
    self.problem = problem
    session = Self.makeSession(name, host, incarnation: 0, identifier: nil, retained: [])
    _ = session.handle(.evaluatorReady, now: .zero)
    try connect()
  }

  private static func makeSession(
    _ name: String, _ host: SessionHost.Options, incarnation: Int, identifier: String?, retained: [Submission]
  ) -> WorkerSession {
    let configuration = host.configuration
    let problem = configuration.evaluator.problem ?? ""
    let fingerprints = ["base": problem, "data": problem, "settings": configuration.settingsFingerprint]
    var hello = Hello(
      worker: name, incarnation: "\(name)-\(host.run)-\(incarnation)", study: configuration.name, build: host.build,
      fingerprints: Fingerprints(fingerprints), host: "test", device: "cpu", pid: Int(getpid()),
      capabilities: Capabilities(memoryBytes: 1 << 34, cores: 1, evaluator: "analytic"))
    hello.studyIdentifier = identifier
    var settings = WorkerSession.Settings()
    settings.helloInterval = .milliseconds(100)
    settings.helloMaximum = .seconds(1)
    settings.submissionInterval = .milliseconds(500)
    settings.submissionMaximum = .seconds(2)
    settings.jitterSeed = host.seed
    return WorkerSession(settings: settings, hello: hello, retained: retained)
  }

  private func connect() throws {
    connections += 1
    let socket = try ZeroMQSocket(context, type: ZMQ_DEALER)
    try socket.set(ZMQ_ROUTING_ID, "\(name).\(host.run).\(incarnation).\(connections)")
    try socket.set(ZMQ_IMMEDIATE, Int32(1))
    try socket.set(ZMQ_LINGER, Int32(0))
    try socket.set(ZMQ_RECONNECT_IVL, Int32(50))
    try socket.set(ZMQ_RECONNECT_IVL_MAX, Int32(500))
    if let keys = host.keys {
      try socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(keys.server.text) ?? [])
      try socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(keys.pair.publicKey.text) ?? [])
      try socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(keys.pair.secret) ?? [])
    }
    guard zmq_connect(socket.pointer, host.endpoint) == 0 else {
      throw FaultTestError("cannot connect to \(host.endpoint)")
    }
    self.socket = socket
  }

  /// Dies as by SIGKILL, and comes back after `pause` as a new process would: with its file of outcomes, nothing else.
  func die(pause: Duration, now: Duration) throws {
    socket = nil
    incarnation += 1
    work = nil
    asked = nil
    asleepUntil = now + pause
    log.kills += 1
    session = Self.makeSession(
      name, host, incarnation: incarnation, identifier: studyIdentifier, retained: session.retained)
    _ = session.handle(.evaluatorReady, now: now)
  }

  /// Reads what has arrived and lets time pass.
  func turn(now: Duration) throws {
    if let until = asleepUntil {
      guard now >= until else { return }
      asleepUntil = nil
      try connect()
    }
    while let received = socket?.receive(frameLimit: 2) {
      let frames = WireFrames(
        json: received.frames[0], attachment: received.frames.count > 1 ? received.frames[1] : nil)
      do {
        let envelope = try codec.decode(frames, from: .coordinator)
        log.received[envelope.message.type, default: 0] += 1
        try perform(session.handle(.received(envelope), now: now), now)
      } catch let error as WireError {
        try perform(session.handle(.malformed(error), now: now), now)
      }
    }
    if let work, now >= work.end {
      self.work = nil
      let values = try problem.observe(work.assignment.configuration, seed: work.assignment.seed, index: 0)
      let result = TrialResult(objectives: values, metrics: ["seconds": host.trialSeconds])
      results[work.assignment.attempt] = result
      let report = ResultReport(attempt: work.assignment.attempt, result: result)
      try perform(session.handle(.finished(.result(report)), now: now), now)
    }
    try perform(session.handle(.clock, now: now), now)
  }

  private func perform(_ actions: [WorkerSession.Action], _ now: Duration) throws {
    for action in actions {
      switch action {
      case .send(let envelope): send(envelope, now)
      case .execute(let assignment):
        if let asked { log.asks.append((now - asked).seconds) }
        asked = nil
        trials += 1
        log.executed[assignment.attempt] = assignment.trial
        // Trials of different lengths, so that workers do not march in step.
        let length = host.trialSeconds * (0.5 + Double((trials * 7919 + assignment.trial * 104_729) % 1000) / 1000)
        work = (assignment, now + .seconds(length))
        try perform(session.handle(.started(assignment.attempt), now: now), now)
      case .interrupt(let token, let reason):
        work = nil
        let release = ReleaseReport(attempt: token, reason: reason)
        try perform(session.handle(.finished(.released(release)), now: now), now)
      case .forget(let token, let verdict):
        log.verdicts[verdict, default: 0] += 1
        if verdict != .conflict, let result = results[token] { log.acknowledged[token] = result }
      case .reconnect:
        socket = nil
        try connect()
      case .welcomed(let welcome):
        studyIdentifier = welcome.studyIdentifier
        log.welcomes.append(SessionHost.Welcome(session: welcome.session, at: .now))
      case .leave(let departure):
        hasLeft = true
        log.departures.append("\(departure)")
        // What is still in the socket (a goodbye) may leave.
        try socket?.set(ZMQ_LINGER, Int32(200))
        socket = nil
      case .keep, .chunkAcknowledged, .unanswered, .log: break
      }
    }
  }

  private func send(_ envelope: Envelope, _ now: Duration) {
    let frames = codec.encode(envelope)
    let isSent = socket?.send([frames.json] + (frames.attachment.map { [$0] } ?? [])) ?? false
    guard isSent else { return }
    if case .ready = envelope.message { asked = now }
    log.sent[envelope.message.type, default: 0] += 1
  }
}
