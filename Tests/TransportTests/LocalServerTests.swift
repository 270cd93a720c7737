import Foundation
import Glibc
import RandomStreams
import Synchronization
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// A server on a socket file: what it reads, and what it does with those that do not behave.
@Suite("Socket files", .bounded) struct LocalServerTests {
  static let clientGreeting: [UInt8] = ZMTPOutput.greeting
  static func ready(_ id: String, type: String = "DEALER") -> [UInt8] {
    func property(_ name: String, _ value: [UInt8]) -> [UInt8] {
      [UInt8(name.utf8.count)] + Array(name.utf8) + [0, 0, 0, UInt8(value.count)] + value
    }
    let body =
      [5] + Array("READY".utf8) + property("Socket-Type", Array(type.utf8)) + property("Identity", Array(id.utf8))
    return [4, UInt8(body.count)] + body
  }
  static func frame(_ bytes: [UInt8], more: Bool = false) -> [UInt8] {
    let head: [UInt8] = (0..<8).map { UInt8(truncatingIfNeeded: bytes.count >> (56 - 8 * $0)) }
    return [(more ? 1 : 0) | 2] + head + bytes
  }

  private static func read(_ input: inout ZMTPInput, _ bytes: [UInt8]) throws(ZMTPInput.Violation) -> [ZMTPInput.Output]
  {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: max(1, bytes.count), alignment: 1)
    defer { buffer.deallocate() }
    buffer.copyBytes(from: bytes)
    return try input.take(UnsafeRawBufferPointer(rebasing: buffer[..<bytes.count]))
  }

  @Test("a conversation means the same however it is cut") func anyCuts() throws {
    let talk =
      Self.clientGreeting + Self.ready("w.1") + Self.frame([1, 2, 3]) + [0, 2, 7, 8]
      + Self.frame([9], more: true) + Self.frame([UInt8](repeating: 5, count: 70_000)) + Self.frame([1], more: true)
      + Self.frame([], more: true) + Self.frame([3]) + [4, 9, 4] + Array("PING".utf8) + [0, 1, 42, 43]
    // The command's size is of its name's length, its name, the time to live and the context.
    let expected: [ZMTPInput.Output] = [
      .greeted, .ready(Array("w.1".utf8)), .message(WireFrames(json: [1, 2, 3])), .message(WireFrames(json: [7, 8])),
      .message(WireFrames(json: [9], attachment: [UInt8](repeating: 5, count: 70_000))),
      .message(WireFrames(json: [])), .ping([42, 43]),
    ]
    for seed in 0..<50 {
      var random = RandomStream(seed: UInt64(seed), purpose: "tests/zmtp")
      var input = ZMTPInput(largestFrame: 128 * 1024)
      var outputs: [ZMTPInput.Output] = []
      var rest = talk[...]
      while !rest.isEmpty {
        let count = min(rest.count, 1 + random.integer(below: seed == 0 ? 1 : 20_000))
        outputs += try Self.read(&input, Array(rest.prefix(count)))
        rest = rest.dropFirst(count)
      }
      #expect(outputs == expected)
      #expect(input.held == 0)
    }
  }

  @Test("what is no conversation ends it, and nothing makes it hold more than a message") func violations() throws {
    let opening = Self.clientGreeting + Self.ready("w")
    var curve = Self.clientGreeting
    curve.replaceSubrange(12..<17, with: Array("CURVE".utf8))
    let bad: [(String, [UInt8])] = [
      ("http", Array("GET / HTTP/1.1\r\n".utf8)), ("old", [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 1, 0]),
      ("keys", curve), ("giant", opening + [2, 0, 0, 0, 0, 0, 2, 0, 1]),
      ("largest integer", opening + [2] + [UInt8](repeating: 255, count: 8)), ("flags", opening + [8, 0]),
      ("command with more", opening + [5, 0]), ("empty command", opening + [4, 0]),
      ("cut command", opening + [4, 1, 9]), ("second READY", opening + Self.ready("w")),
      ("message first", Self.clientGreeting + [0, 1, 1]),
      ("no dealer", Self.clientGreeting + Self.ready("w", type: "SUB")),
      ("reserved id", Self.clientGreeting + Self.ready("\0x")),
      ("cut READY", Self.clientGreeting + [4, 9, 5] + Array("READY".utf8) + [3, 1, 1]),
      ("giant command", Self.clientGreeting + [6, 0, 0, 0, 0, 0, 0, 8, 0]),
      ("parts", opening + Array((0..<65).map { _ in [UInt8]([1, 0]) }.joined())),
    ]
    for (name, bytes) in bad {
      var input = ZMTPInput(largestFrame: 128 * 1024)
      #expect(throws: ZMTPInput.Violation.self, "\(name)") { _ = try Self.read(&input, bytes) }
    }
    for seed in 0..<2000 {
      var random = RandomStream(seed: UInt64(seed), purpose: "tests/zmtp/garbage")
      var input = ZMTPInput(largestFrame: 1000)
      var bytes = opening + Self.frame([1, 2, 3]) + Self.ready("x")
      for _ in 0..<(1 + random.integer(below: 5)) {
        bytes[random.integer(below: bytes.count)] = UInt8(truncatingIfNeeded: random.next())
      }
      bytes += (0..<random.integer(below: 5000)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
      _ = try? Self.read(&input, bytes)
      #expect(input.held <= bytes.count)
    }
  }

  // MARK: - With sockets

  private struct Scene {
    let folder: TemporaryFolder
    let server: ZeroMQServer
    let endpoint: Endpoint
    let notices = Notices()
    let heard = Heard()

    init(_ change: (inout ServerLimits) -> Void = { _ in }) throws {
      folder = try TemporaryFolder("engram-local")
      endpoint = .ipc(path: folder.url.appendingPathComponent("s").path)
      var limits = ServerLimits()
      change(&limits)
      server = try ZeroMQServer(bind: endpoint, protection: limits)
    }

    func serve() async {
      for await event in server.events {
        switch event {
        case .message(let peer, let frames):
          heard.note(peer)
          server.send(frames, to: peer)
        case .notice(let notice): notices.add(notice)
        default: break
        }
      }
    }

    func raw() throws -> RawConnection { try RawConnection(path: folder.url.appendingPathComponent("s").path) }
  }

  final class Notices: Sendable {
    private let list = Mutex<[String]>([])
    func add(_ notice: ServerNotice) { list.withLock { $0.append("\(notice)") } }
    func contains(_ text: String) -> Bool { list.withLock { $0.contains { $0.contains(text) } } }
  }

  @Test("a message without end is cut off, and others go on") func unfinishedMultipart() async throws {
    let scene = try Scene()
    let serving = Task { await scene.serve() }
    let honest = try ZeroMQClient(connect: scene.endpoint, identity: "honest")
    try await Echo.waitUntilConnected(honest)
    let mad = try scene.raw()
    mad.send(Self.clientGreeting + Self.ready("mad.1"))
    let before = Memory.resident
    let part = Self.frame([UInt8](repeating: 7, count: 100 * 1024), more: true)
    var sent = 0
    while !mad.isEnded, sent < 1000 {
      guard mad.send(part) == part.count else { break }
      sent += 1
    }
    // The socket's own buffer may have taken a few more.
    #expect(sent < 100, "\(sent) parts were taken")
    #expect((Memory.resident - before) >> 20 < 48)
    try await Patience.until { scene.notices.contains("without the end of a message") }
    try await Echo.waitUntilConnected(honest)
    honest.close()
    scene.server.close()
    await serving.value
  }

  @Test("who sends too fast is held back, loses nothing and keeps the order") func heldBack() async throws {
    let scene = try Scene {
      $0.messagesPerSecond = 2000
      $0.messageBurst = 100
    }
    let serving = Task { await scene.serve() }
    let fast = try ZeroMQClient(connect: scene.endpoint, identity: "fast")
    try await Echo.waitUntilConnected(fast)
    let start = ContinuousClock.now
    // No more than the client's own queue takes.
    for number in 0..<900 { fast.send(WireFrames(json: Array("\(number)".utf8))) }
    for number in 0..<900 {
      guard case .message(let frames)? = await fast.events.next() else {
        Issue.record("nothing came after \(number)")
        break
      }
      #expect(frames.json == Array("\(number)".utf8))
    }
    #expect(start.duration(to: .now) > .milliseconds(300))
    fast.close()
    scene.server.close()
    await serving.value
  }

  @Test("connections that do not finish their handshake are ended in time") func silentConnections() async throws {
    let scene = try Scene { $0.handshake = .milliseconds(300) }
    let serving = Task { await scene.serve() }
    let silent = try (0..<50).map { _ in try scene.raw() }
    let half = try scene.raw()
    half.send(Self.clientGreeting)
    let http = try scene.raw()
    http.send(Array("GET / HTTP/1.1\r\n\r\n".utf8))
    let open = try scene.raw()
    open.send(Self.clientGreeting + Self.ready("open.1"))
    try await Patience.until { (silent + [half, http]).allSatisfy(\.isEnded) }
    try await Patience.until { scene.notices.contains("did not finish their handshake") }
    #expect(!open.isEnded)
    open.send(Self.frame([1, 2, 3]))
    try await Patience.until { scene.heard.count(Peer(id: Array("open.1".utf8))) == 1 }
    // Nobody takes its routing id from it.
    let thief = try scene.raw()
    thief.send(Self.clientGreeting + Self.ready("open.1"))
    try await Patience.until { thief.isEnded }
    #expect(!open.isEnded)
    scene.server.close()
    await serving.value
  }

  @Test("the last answers leave before the end, and the file goes with its server") func end() async throws {
    let scene = try Scene()
    let client = try ZeroMQClient(connect: scene.endpoint, identity: "w")
    let heard = scene.heard
    let listening = Task { [server = scene.server] in
      for await event in server.events { if case .message(let peer, _) = event { heard.note(peer) } }
    }
    try await Patience.until {
      client.send(WireFrames(json: [1]))
      return !heard.peers.isEmpty
    }
    let peer = try #require(heard.peers.first)
    for number in 0..<50 {
      scene.server.send(
        WireFrames(json: [UInt8(number)], attachment: [UInt8](repeating: 1, count: 20_000)), to: peer)
    }
    scene.server.close()
    await listening.value
    // Ends the wait below, should an answer be missing.
    let end = Task {
      try await Task.sleep(for: .seconds(10))
      client.close()
    }
    defer { end.cancel() }
    var answers: [UInt8] = []
    while answers.count < 50, let event = await client.events.next() {
      if case .message(let frames) = event { answers.append(frames.json[0]) }
    }
    #expect(answers == Array(0..<50))
    #expect(!FileManager.default.fileExists(atPath: scene.folder.url.appendingPathComponent("s").path))
    client.close()
  }
}
