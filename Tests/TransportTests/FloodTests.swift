import CZeroMQ
import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// What strangers and mad workers send in masses, over real sockets, and an honest worker beside them.
@Suite("Floods", .serialized, .bounded) struct FloodTests {
  /// A server with three admitted keys, somebody who answers, and what was noticed.
  final class Scene: Sendable {
    let folder: TemporaryFolder
    let store: KeyStore
    let serverKeys: KeyPair
    let server: ZeroMQServer
    let endpoint: Endpoint
    let port: UInt16
    private let noticed = Mutex<[ServerNotice]>([])
    private let revocations = Mutex<[PeerIdentity]>([])
    let heard = Heard()
    private let violations = Mutex<[Peer: Int]>([:])

    init(_ change: (inout ServerLimits) throws -> Void = { _ in }) throws {
      folder = try TemporaryFolder("engram-flood")
      store = KeyStore(folder: folder.url.appendingPathComponent("keys"))
      serverKeys = try store.generate(name: "server")
      for name in ["good", "bad"] { try store.authorize(name: name, publicKey: store.generate(name: name).publicKey) }
      var limits = ServerLimits()
      try change(&limits)
      server = try ZeroMQServer(
        bind: .tcp(host: "127.0.0.1", port: 0),
        security: .curve(serverKeys, authorizedFolder: store.authorizedFolder), protection: limits)
      endpoint = try Endpoint(server.endpoint)
      guard case .tcp(_, let port) = endpoint else { throw PatienceError() }
      self.port = port
    }

    /// Answers what can be decoded; ends a connection after 16 frames that cannot, as a session does.
    func serve() async {
      for await event in server.events {
        switch event {
        case .message(let peer, let frames):
          heard.note(peer)
          if (try? MessageCodec().decode(frames, from: .worker)) != nil {
            server.send(frames, to: peer)
          } else if violations.withLock({ counts in
            counts[peer, default: 0] += 1
            return counts[peer] == 16
          }) {
            server.disconnect(peer)
          }
        case .notice(let notice): noticed.withLock { $0.append(notice) }
        case .keyRevoked(let identity, _): revocations.withLock { $0.append(identity) }
        case .undeliverable, .turnedAway: break
        }
      }
    }

    var notices: [ServerNotice] { noticed.withLock { $0 } }
    var revoked: [PeerIdentity] { revocations.withLock { $0 } }

    func client(_ name: String, key: String = "good") throws -> ZeroMQClient {
      try ZeroMQClient(
        connect: endpoint, identity: name, security: .curve(store.pair(name: key), server: serverKeys.publicKey))
    }

    /// A bare socket with an admitted key.
    func bare(_ id: String, key: String, context: ZeroMQContext) throws -> ZeroMQSocket {
      let pair = try store.pair(name: key)
      let socket = try ZeroMQSocket(context, type: ZMQ_DEALER)
      try socket.set(ZMQ_ROUTING_ID, id)
      try socket.set(ZMQ_LINGER, Int32(0))
      try socket.set(ZMQ_SNDHWM, Int32(0))
      try socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(serverKeys.publicKey.text) ?? [])
      try socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
      try socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
      guard zmq_connect(socket.pointer, endpoint.description) == 0 else { throw PatienceError() }
      return socket
    }
  }

  /// Runs `body` beside somebody who answers and an honest client that is connected; its answers go on afterwards.
  private func run(
    _ change: (inout ServerLimits) throws -> Void = { _ in },
    _ body: (Scene, ZeroMQClient) async throws -> Void
  ) async throws {
    let scene = try Scene(change)
    let serving = Task { await scene.serve() }
    let honest = try scene.client("honest")
    try await Echo.waitUntilConnected(honest)
    let before = honest.connectionState
    try await body(scene, honest)
    try await Echo.waitUntilConnected(honest)
    #expect(before == .connected)
    #expect(scene.heard.peers.filter { $0.description.hasPrefix("honest") }.count == 1, "it had to connect again")
    honest.close()
    scene.server.close()
    await serving.value
  }

  @Test("half-sent frames before the handshake take a bounded memory, and newcomers get in") func halfSentFrames()
    async throws
  {
    try await run { scene, _ in
      let before = Memory.resident
      var largest = before
      var strangers: [RawConnection] = []
      let frame =
        RawConnection.greeting + RawConnection.frameHead(128 * 1024) + [UInt8](repeating: 7, count: 128 * 1024 - 1)
      for number in 0..<700 {
        let stranger = try RawConnection(port: scene.port)
        stranger.send(frame, seconds: 0.2)
        strangers.append(stranger)
        if number % 50 == 0 { largest = max(largest, Memory.resident) }
      }
      let newcomer = try scene.client("newcomer")
      let start = ContinuousClock.now
      try await Echo.waitUntilConnected(newcomer)
      #expect(start.duration(to: .now) < .seconds(20))
      newcomer.close()
      largest = max(largest, Memory.resident)
      // 700 x 128 KiB = 88 MiB were offered, held were 8 and what a connection is itself.
      #expect((largest - before) >> 20 < 64, "memory grew by \((largest - before) >> 20) MiB")
      try await Patience.until { scene.notices.contains { if case .unheardEnded = $0 { true } else { false } } }
      // Whatever was not ended for its bytes is ended with its time for the handshake.
      try await Patience.until { strangers.allSatisfy(\.isEnded) }
    }
  }

  @Test("a frame beyond the limit ends its connection when it is announced") func announcedGiant() async throws {
    try await run { scene, _ in
      let stranger = try RawConnection(port: scene.port)
      stranger.send(RawConnection.greeting + RawConnection.frameHead(4 << 20))
      try await Patience.until { stranger.isEnded }
      let patient = try RawConnection(port: scene.port)
      patient.send(RawConnection.greeting + RawConnection.frameHead(128 * 1024))
      try await Task.sleep(for: .milliseconds(500))
      #expect(!patient.isEnded)
    }
  }

  @Test("connections that say nothing are bounded in number and time") func silentConnections() async throws {
    try await run {
      $0.unheard = 20
      $0.unheardPerAddress = 15
      $0.handshake = .seconds(1)
    } _: { scene, _ in
      let strangers = try (0..<100).map { _ in try RawConnection(port: scene.port) }
      try await Patience.until { strangers.count { !$0.isEnded } <= 15 }
      let newcomer = try scene.client("newcomer")
      try await Echo.waitUntilConnected(newcomer)
      newcomer.close()
      try await Patience.until { strangers.allSatisfy(\.isEnded) }
      try await Patience.until {
        scene.notices.contains { notice in
          guard case .unheardEnded(_, "127.0.0.1", let limit) = notice else { return false }
          return limit.contains("more than 15 connections of this address")
        }
      }
    }
  }

  @Test("at the limit of descriptors the workers that are here keep their place") func descriptors() async throws {
    try await run {
      $0.connections = 12
    } _: { scene, honest in
      let strangers = try (0..<100).map { _ in try RawConnection(port: scene.port) }
      for _ in 0..<20 { try await Echo.waitUntilConnected(honest) }
      try await Patience.until { strangers.count { !$0.isEnded } < 12 }
      try await Patience.until {
        scene.notices.contains { notice in
          guard case .unheardEnded(_, _, let limit) = notice else { return false }
          return limit.contains("wait for their first message") || limit.contains("open files")
        }
      }
    }
    let limits = ServerLimits()
    #expect(limits.maximumConnections(openNow: 30, limit: 64) == 18)
    #expect(limits.maximumConnections(openNow: 30, limit: 65_536) == 65_536 - 30 - 2048)
    var reserved = ServerLimits()
    reserved.reservedDescriptors = FileLimit.raise(to: 0)
    #expect(throws: TransportError.self) { try FileLimit.connections(reserved) }
  }

  @Test("a message without end is cut off, whoever sends it") func unfinishedMultipart() async throws {
    try await run { scene, _ in
      let context = try ZeroMQContext()
      let mad = try scene.bare("mad.1", key: "bad", context: context)
      let before = Memory.resident
      _ = mad.send([Hello.frames(1).json])
      // A ZeroMQ client sends a message when its last frame is there: 128 MiB of it, held on this side.
      let part = [UInt8](repeating: 7, count: 64 * 1024)
      _ = mad.send(Array(repeating: part, count: 2048))
      let sent = Memory.resident
      let expected = PeerIdentity(key: try scene.store.pair(name: "bad").publicKey.text)
      try await Patience.until {
        scene.notices.contains { notice in
          guard case .connectionEnded(let peer, let why, _) = notice else { return false }
          return peer.identity == expected && why.contains("without the end of a message")
        }
      }
      // The client's own 128 MiB were there before; the server has taken little of them.
      let growth = Memory.resident - max(before, sent)
      #expect(growth >> 20 < 48, "memory grew by \(growth >> 20) MiB")
    }
  }

  @Test("who sends valid messages without end is ended, and says so") func validFlood() async throws {
    try await run { scene, honest in
      let context = try ZeroMQContext()
      let mad = try scene.bare("mad.1", key: "bad", context: context)
      let frames = Hello.frames(1)
      for _ in 0..<50_000 { _ = mad.send([frames.json]) }
      let start = ContinuousClock.now
      for _ in 0..<20 { try await Echo.waitUntilConnected(honest) }
      #expect(start.duration(to: .now) < .seconds(20))
      try await Patience.until {
        scene.notices.contains { notice in
          guard case .connectionEnded(let peer, let why, _) = notice else { return false }
          return peer.description.hasPrefix("mad") && why.contains("faster than it is heard")
        }
      }
      let passed = scene.heard.peers.filter { $0.description.hasPrefix("mad") }.reduce(0) { $0 + scene.heard.count($1) }
      #expect(passed < 10_000, "\(passed) messages were handed on")
    }
  }

  @Test("a revoked key's connections are closed at once, others go on") func revoked() async throws {
    try await run { scene, _ in
      let client = try scene.client("gone", key: "bad")
      try await Echo.waitUntilConnected(client)
      #expect(client.connectionState == .connected)
      let identity = PeerIdentity(key: try scene.store.pair(name: "bad").publicKey.text)
      #expect(scene.heard.peers.contains { $0.identity == identity })
      let start = ContinuousClock.now
      try scene.store.revoke(name: "bad")
      // It says nothing, and its connection ends all the same.
      try await Patience.until { client.connectionState != .connected && scene.revoked == [identity] }
      #expect(start.duration(to: .now) < .seconds(5))
      let before = scene.heard.peers.filter { $0.identity == identity }.reduce(0) { $0 + scene.heard.count($1) }
      for _ in 0..<20 {
        client.send(Hello.frames(1))
        try await Task.sleep(for: .milliseconds(50))
      }
      let after = scene.heard.peers.filter { $0.identity == identity }.reduce(0) { $0 + scene.heard.count($1) }
      #expect(before == after)
      client.close()
    }
  }

  @Test("a thousand admitted keys and a hundred strangers a second hold up nobody") func manyKeys() async throws {
    try await run { scene, honest in
      for index in 0..<1000 {
        let key = try KeyPair.generate().publicKey
        let file = scene.store.authorizedFolder.appendingPathComponent("k\(index).public")
        try Data("\(key.text)\n".utf8).write(to: file)
      }
      let attempts = Counter()
      let strangers = Thread {
        guard let context = try? ZeroMQContext(), let pair = try? KeyPair.generate() else { return }
        let limit = ContinuousClock.now + .seconds(3)
        while ContinuousClock.now < limit {
          guard let socket = try? ZeroMQSocket(context, type: ZMQ_DEALER) else { return }
          _ = try? socket.set(ZMQ_LINGER, Int32(0))
          _ = try? socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(scene.serverKeys.publicKey.text) ?? [])
          _ = try? socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
          _ = try? socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
          guard zmq_connect(socket.pointer, scene.endpoint.description) == 0 else { return }
          attempts.add()
          usleep(10_000)
        }
      }
      strangers.start()
      var slowest = Duration.zero
      var rounds = 0
      let limit = ContinuousClock.now + .seconds(3)
      while ContinuousClock.now < limit {
        let start = ContinuousClock.now
        try await Echo.waitUntilConnected(honest)
        slowest = max(slowest, start.duration(to: .now))
        rounds += 1
      }
      #expect(attempts.value > 50)
      #expect(rounds > 20 && slowest < .seconds(3), "\(rounds) rounds, the slowest took \(slowest)")
    }
  }

  @Test(
    "a thousand workers of one machine may come at once",
    .enabled(if: ProcessInfo.processInfo.environment["ENGRAM_FULL"] == "1"))
  func herd() async throws {
    try await run { scene, _ in
      let pool = try ZeroMQClientPool(connections: 1000)
      let security = ZeroMQClient.Security.curve(try scene.store.pair(name: "good"), server: scene.serverKeys.publicKey)
      let start = ContinuousClock.now
      let clients = try (0..<1000).map { try pool.connect(to: scene.endpoint, identity: "h\($0)", security: security) }
      for client in clients { try await Echo.waitUntilConnected(client) }
      print("1,000 workers were in after \(start.duration(to: .now))")
      #expect(start.duration(to: .now) < .seconds(60))
      #expect(!scene.notices.contains { if case .unheardEnded = $0 { true } else { false } }, "\(scene.notices)")
      pool.close()
    }
  }

  @Test("a mad worker with the cluster's key does not keep the others out") func madWorkerWithSharedKey() async throws {
    try await run { scene, _ in
      let isOver = Mutex(false)
      let connections = Counter()
      let mad = Thread { [connections] in
        guard let context = try? ZeroMQContext() else { return }
        while !isOver.withLock({ $0 }) {
          // A new name each time, and garbage at once.
          guard let socket = try? scene.bare("\(UUID().uuidString).1", key: "good", context: context) else { return }
          connections.add()
          for _ in 0..<40 { _ = socket.send([[1, 2, 3]]) }
          usleep(20_000)
        }
      }
      mad.start()
      defer { isOver.withLock { $0 = true } }
      try await Patience.until {
        scene.notices.contains { if case .connectionEnded(_, let why, _) = $0 { why.contains("hello") } else { false } }
      }
      let start = ContinuousClock.now
      for index in 0..<5 {
        let client = try scene.client("late\(index)")
        try await Echo.waitUntilConnected(client)
        client.close()
      }
      #expect(start.duration(to: .now) < .seconds(15))
      // The flood was real: it went on while the others came in.
      try await Patience.until { connections.value > 10 }
    }
  }
}
