import CZeroMQ
import Foundation
import RandomStreams
import Study
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// R10: garbage from an authorised key against a running coordinator: no crash, no memory, no foreign result, and the
/// honest workers go on. (The decoder's mutated frames are `MutatedFrameTests`.)
@Suite("Garbage from an authorised key", .bounded) struct GarbageTests {
  @Test("R10: the coordinator keeps its memory, its study and its answers") func garbage() async {
    let outcome = await FaultRun.perform("R10") { run in
      let seconds = FaultForm.count(short: 4, full: 60)
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 1_000_000
      let secure = try SecureStudy("garbage", options, authorized: ["good", "bad"])
      let coordinator = secure.coordinator
      defer { coordinator.destroy() }
      let host = try secure.host("good", count: 2, trialSeconds: 0.02)
      defer { host.stop() }
      try Patience.require("the study runs") { secure.study.finished >= 20 }
      let asks = FaultForm.count(short: 60, full: 600)
      try Patience.require("\(asks) asks before the garbage") { host.log.asks.count >= asks }
      let quiet = host.log
      let before = FaultProcess.residentBytes(of: coordinator.pid)
      let vandal = try Vandal(secure, seed: run.seed)
      let limit = ContinuousClock.now + .seconds(seconds)
      var largest = before
      while ContinuousClock.now < limit {
        try vandal.rage(messages: 200)
        largest = max(largest, FaultProcess.residentBytes(of: coordinator.pid))
      }
      run.fire("garbage frame", vandal.sent)
      run.fire("connection", vandal.connections)
      let finished = secure.study.finished
      let noisy = host.log
      run.check(coordinator.isRunning, "the coordinator ended: \(coordinator.output.suffix(400))")
      // The honest workers are served during and after it.
      try Patience.require("honest workers go on") { secure.study.finished > finished + 20 }
      coordinator.kill(SIGINT)
      run.check(coordinator.wait(60) == 130, "the coordinator did not stop")
      let log = host.stop()
      let problems = try secure.study.problems(acknowledged: log.acknowledged, expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      let growth = (largest - before) >> 20
      run.check(growth < 50, "the coordinator's memory grew by \(growth) MB")
      run.check(coordinator.output.contains("refused a frame"), "no frame was refused")
      run.check(coordinator.output.contains("was ended: too many malformed"), "no connection was ended")
      var during = noisy
      during.asks = Array(noisy.asks.dropFirst(quiet.asks.count))
      run.check(!during.asks.isEmpty, "nothing was handed out during the garbage")
      run.note("memory +\(growth) MB; \(during.asks.count) honest asks answered meanwhile")
      let (noise, silence) = (during.askMilliseconds(0.99), quiet.askMilliseconds(0.99))
      run.note(String(format: "ask p99 %.1f ms, before %.1f ms", noise, silence))
      // In the short form either is the largest of a few dozen.
      if FaultForm.isFull { run.check(noise < 2 * silence, "honest workers waited twice as long as before") }
      run.outcome.count = vandal.sent
      run.outcome.what = "\(seconds) s of mutated, foreign and oversized frames from an admitted key"
    }
    #expect(outcome.problems == [])
  }
}

/// An admitted worker gone mad.
private final class Vandal {
  private let context: ZeroMQContext
  private let secure: SecureStudy
  private let pair: KeyPair
  private let templates: [[UInt8]]
  private var random: RandomStream
  private(set) var sent = 0
  private(set) var connections = 0

  init(_ secure: SecureStudy, seed: UInt64) throws {
    self.secure = secure
    context = try ZeroMQContext()
    pair = try secure.store.pair(name: "bad")
    random = RandomStream(seed: seed, purpose: "faults/R10")
    templates = Self.messages(secure.study).map { MessageCodec().encode(Envelope(id: 7, message: $0)).json }
  }

  private static func messages(_ study: FaultStudy) -> [Message] {
    let problem = FaultStudy.problemName
    let hello = Hello(
      worker: "vandal", incarnation: "x", study: study.name, build: "test",
      fingerprints: Fingerprints([
        "base": problem, "data": problem, "settings": study.configuration.settingsFingerprint,
      ]), host: "h", device: "cpu", pid: 1,
      capabilities: Capabilities(memoryBytes: 1, cores: 1, evaluator: "analytic"))
    let token = AttemptToken(3)
    let reference = AttemptReference(attempt: token)
    let lie = TrialResult(objectives: ["loss": -1e9, "rougeL": 1e9])
    let record = FailureRecord(failureClass: .diverged, message: "a lie")
    return [
      .hello(hello), .ready, .accepted(reference), .start(reference),
      .report(IntermediateReport(token: token, trial: 1, step: 1, values: ["loss": 1])),
      .heartbeat(Heartbeat(phase: .running, attempt: token)), .result(ResultReport(attempt: token, result: lie)),
      .failure(FailureReport(attempt: token, started: true, record: record)),
      .released(ReleaseReport(attempt: token, reason: .preempted)),
    ]
  }

  /// One connection: an honest hello, lies about other workers' attempts, then broken frames.
  func rage(messages: Int) throws {
    connections += 1
    let socket = try ZeroMQSocket(context, type: ZMQ_DEALER)
    try socket.set(ZMQ_ROUTING_ID, "vandal.\(connections)")
    try socket.set(ZMQ_LINGER, Int32(0))
    try socket.set(ZMQ_SNDHWM, Int32(50))
    try socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(secure.server.publicKey.text) ?? [])
    try socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
    try socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    guard zmq_connect(socket.pointer, secure.endpoint) == 0 else { throw FaultTestError("cannot connect") }
    send([templates[0]], socket)
    let newest = try secure.study.record().header.nextToken
    for _ in 0..<12 {
      let lie = String(decoding: templates[2 + random.integer(below: templates.count - 2)], as: UTF8.self)
      let token = max(1, newest - random.integer(below: 12))
      send([Array(lie.replacingOccurrences(of: "\"attempt\":3", with: "\"attempt\":\(token)").utf8)], socket)
    }
    // Until it is thrown out; then it comes again at once.
    for _ in 0..<messages where !send(garbage(), socket) { break }
    while socket.receive(frameLimit: 2) != nil {}
  }

  @discardableResult
  private func send(_ frames: [[UInt8]], _ socket: ZeroMQSocket) -> Bool {
    let isSent = Patience.wait(0.5, every: 0.001) { socket.send(frames) }
    if isSent { sent += 1 }
    return isSent
  }

  private func garbage() -> [[UInt8]] {
    var bytes = templates[random.integer(below: templates.count)]
    switch random.integer(below: 40) {
    case 0: return [[UInt8](repeating: UInt8(ascii: "["), count: 256 * 1024)]
    case 1: return [[UInt8](repeating: 0, count: 300 * 1024)]
    case 2: if random.integer(below: 12) == 0 { return [bytes, [UInt8](repeating: 7, count: 4 << 20)] }
    case 3: return [bytes, [], [], []]
    case 4: return [[]]
    // Many frames of one message: whole, but more than a connection may hold.
    case 6:
      if random.integer(below: 6) == 0 { return Array(repeating: [UInt8](repeating: 7, count: 100_000), count: 200) }
    case 5: return [Array("{\"v\":1,\"type\":\"\(String(repeating: "x", count: 100_000))\"".utf8)]
    default: break
    }
    for _ in 0...random.integer(below: 4) where !bytes.isEmpty {
      let at = random.integer(below: bytes.count)
      switch random.integer(below: 4) {
      case 0: bytes[at] = UInt8(truncatingIfNeeded: random.next())
      case 1: bytes.removeSubrange(at..<min(bytes.count, at + 1 + random.integer(below: 9)))
      case 2: bytes.insert(contentsOf: Array("[[{\"1e999\":-".utf8), at: at)
      default: bytes.removeSubrange(at...)
      }
    }
    return [bytes]
  }
}
