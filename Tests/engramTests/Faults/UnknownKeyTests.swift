import CZeroMQ
import Foundation
import RandomStreams
import Study
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// R11: unknown key, no key, PLAIN, wrong server key, revoked key, raw bytes and a flood of connections against a real
/// coordinator: not one application byte is read, the refusals are logged, and the honest workers go on.
///
/// (`SecurityTests` has the same on the transport alone.)
@Suite("Unknown keys", .bounded) struct UnknownKeyTests {
  private enum Intruder: String, CaseIterable {
    case unknownKey, noKey, plain, wrongServerKey, revokedKey
  }

  @Test("R11: nobody unknown is heard") func intruders() async {
    let outcome = await FaultRun.perform("R11") { run in
      let seconds = FaultForm.count(short: 2, full: 60)
      var options = FaultStudy.Options()
      options.seed = run.seed
      options.budget = 1_000_000
      let secure = try SecureStudy("intruders", options, authorized: ["good", "gone"])
      let coordinator = secure.coordinator
      defer { coordinator.destroy() }
      try secure.store.revoke(name: "gone")
      let host = try secure.host("good", count: 2, trialSeconds: 0.03)
      defer { host.stop() }
      try Patience.require("the study runs") { secure.study.finished >= 10 }
      let context = try ZeroMQContext()
      for kind in Intruder.allCases {
        let answers = try Self.intrude(kind, secure, context, run: run)
        run.check(answers == 0, "\(kind.rawValue) got \(answers) answers")
      }
      try Self.replay(secure, context, run: run)
      let asked = host.log.asks.count
      let memory = FaultProcess.residentBytes(of: coordinator.pid)
      let largest = Self.announce(secure, connections: FaultForm.count(short: 400, full: 4000), run: run)
      let growth = (largest - memory) >> 20
      run.check(growth < 50, "the coordinator's memory grew by \(growth) MB before any handshake")
      run.note("half-sent frames before the handshake: memory +\(growth) MB")
      let attempts = Self.flood(secure, seconds: seconds, run: run)
      let before = secure.study.finished
      try Patience.require("honest workers go on") { secure.study.finished > before + 10 }
      run.check(coordinator.isRunning, "the coordinator ended: \(coordinator.output.suffix(400))")
      coordinator.kill(SIGINT)
      run.check(coordinator.wait(60) == 130, "the coordinator did not stop")
      let log = host.stop()
      let problems = try secure.study.problems(acknowledged: log.acknowledged, expectsEnd: false)
      run.check(problems.isEmpty, "\(problems.prefix(5))")
      try Self.checkLog(run, secure)
      var during = log
      during.asks = Array(log.asks.dropFirst(asked))
      run.note(String(format: "ask p99 %.0f ms during the flood", during.askMilliseconds(0.99)))
      run.outcome.count = attempts
      run.outcome.what =
        "five kinds of strangers, a replayed connection, then \(attempts * 60 / max(1, seconds)) connections a minute for \(seconds) s"
    }
    #expect(outcome.problems == [])
  }

  /// Says an honest hello over a forbidden connection for a while; returns the number of answers.
  private static func intrude(
    _ kind: Intruder, _ secure: SecureStudy, _ context: ZeroMQContext, run: FaultRun
  ) throws -> Int {
    let socket = try ZeroMQSocket(context, type: ZMQ_DEALER)
    try socket.set(ZMQ_LINGER, Int32(0))
    let stranger = try KeyPair.generate()
    let server = kind == .wrongServerKey ? try KeyPair.generate().publicKey : secure.server.publicKey
    let pair =
      switch kind {
      case .revokedKey: try secure.store.pair(name: "gone")
      case .wrongServerKey: try secure.store.pair(name: "good")
      default: stranger
      }
    switch kind {
    case .noKey: break
    case .plain:
      try socket.set(ZMQ_PLAIN_USERNAME, "admin")
      try socket.set(ZMQ_PLAIN_PASSWORD, "admin")
    case .unknownKey, .wrongServerKey, .revokedKey:
      try socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(server.text) ?? [])
      try socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
      try socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    }
    guard zmq_connect(socket.pointer, secure.endpoint) == 0 else { throw FaultTestError("cannot connect") }
    let frames = hello("burglar", secure)
    var answers = 0
    for _ in 0..<12 {
      _ = socket.send([frames.json])
      usleep(50_000)
      while socket.receive(frameLimit: 2) != nil { answers += 1 }
    }
    run.fire(kind.rawValue)
    return answers
  }

  private static func hello(_ worker: String, _ secure: SecureStudy) -> WireFrames {
    let problem = FaultStudy.problemName
    let hello = Hello(
      worker: worker, incarnation: "x", study: secure.study.name, build: "test",
      fingerprints: Fingerprints([
        "base": problem, "data": problem, "settings": secure.study.configuration.settingsFingerprint,
      ]), host: "h", device: "cpu", pid: 1,
      capabilities: Capabilities(memoryBytes: 1, cores: 1, evaluator: "analytic"))
    return MessageCodec().encode(Envelope(id: 1, message: .hello(hello)))
  }

  /// An admitted worker's whole connection, written down on the way and said again byte by byte: nothing comes of it.
  private static func replay(_ secure: SecureStudy, _ context: ZeroMQContext, run: FaultRun) throws {
    let tap = try Wiretap(to: secure.port)
    defer { tap.stop() }
    let pair = try secure.store.pair(name: "good")
    let socket = try ZeroMQSocket(context, type: ZMQ_DEALER)
    try socket.set(ZMQ_LINGER, Int32(0))
    try socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(secure.server.publicKey.text) ?? [])
    try socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
    try socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    guard zmq_connect(socket.pointer, "tcp://127.0.0.1:\(tap.port)") == 0 else { throw FaultTestError("no tap") }
    _ = socket.send([hello("overheard", secure).json])
    func greetings() -> Int { secure.coordinator.output.components(separatedBy: "worker overheard is here").count - 1 }
    try Patience.require("the overheard worker is let in", 20) { greetings() == 1 }
    let recording = tap.recording
    for _ in 0..<3 { _ = LocalSocket.send(recording, to: secure.port, linger: 0.2) }
    run.check(recording.count > 300 && greetings() == 1, "a replayed connection was let in")
    run.fire("replayed handshake", 3)
  }

  /// Connections that announce a frame before their handshake and send all of it but its last byte.
  ///
  /// - Returns: the most memory that the coordinator had meanwhile.
  private static func announce(_ secure: SecureStudy, connections: Int, run: FaultRun) -> Int {
    let greeting =
      [0xff] + [UInt8](repeating: 0, count: 8) + [0x7f, 3, 0] + Array("CURVE".utf8) + [UInt8](repeating: 0, count: 47)
    var open: [Int32] = []
    defer { for descriptor in open { close(descriptor) } }
    var largest = 0
    for index in 0..<connections {
      // A giant, and the largest that is taken.
      let size = index % 4 == 0 ? 4 << 20 : 128 * 1024
      let head: [UInt8] = [6] + (0..<8).map { UInt8(truncatingIfNeeded: size >> (56 - 8 * $0)) }
      guard let descriptor = LocalSocket.connect(to: secure.port) else { continue }
      open.append(descriptor)
      var limit = timeval(tv_sec: 0, tv_usec: 200_000)
      setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
      let bytes = greeting + head + [UInt8](repeating: 7, count: size - 1)
      _ = Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      largest = max(largest, FaultProcess.residentBytes(of: secure.coordinator.pid))
      if open.count > 800 { close(open.removeFirst()) }
    }
    run.fire("half-sent frame", connections)
    return largest
  }

  /// Connections that say nothing, or random bytes, as fast as they are taken.
  private static func flood(_ secure: SecureStudy, seconds: Int, run: FaultRun) -> Int {
    var random = RandomStream(seed: run.seed, purpose: "faults/R11")
    let limit = ContinuousClock.now + .seconds(seconds)
    var made = 0
    while ContinuousClock.now < limit {
      let bytes = (0..<random.integer(below: 200)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      if LocalSocket.send(bytes, to: secure.port) { made += 1 }
      // 15,000 a minute.
      usleep(3_500)
    }
    run.fire("raw connection", made)
    return made
  }

  private static func checkLog(_ run: FaultRun, _ secure: SecureStudy) throws {
    let output = secure.coordinator.output
    run.check(!output.contains("burglar"), "an intruder's hello was read")
    let attempts = try secure.study.record().trials.flatMap(\.attempts)
    run.check(!attempts.contains { $0.worker.name == "burglar" }, "an intruder got a trial")
    let lines = output.split(separator: "\n").filter { $0.contains("turned away") }
    let gone = try secure.store.pair(name: "gone").publicKey.fingerprint
    run.check(lines.contains { $0.contains(gone) && $0.contains("127.0.0.1") }, "the revoked key was not logged")
    // At most one line a second.
    run.check(lines.count <= 90, "\(lines.count) lines about refusals")
    run.check(!output.contains(secure.server.secret), "the log holds the server's secret")
  }
}
