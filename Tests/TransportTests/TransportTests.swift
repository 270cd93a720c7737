import Foundation
import Glibc
import Synchronization
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// What every transport has to do.
@Suite(.bounded) struct TransportContractTests {
  /// A server with a way to connect to it and to open it again after `close`.
  struct Fixture: Sendable {
    var name: String
    var listen: @Sendable () throws -> any ServerTransport
    var connect: @Sendable (String) throws -> any ClientTransport
    var folder: TemporaryFolder
  }

  static func inMemory() throws -> Fixture {
    let network = InMemoryNetwork()
    return Fixture(
      name: "memory", listen: { network.listen() }, connect: { network.connect(identity: $0) },
      folder: try TemporaryFolder())
  }

  static func ipc() throws -> Fixture {
    let folder = try TemporaryFolder()
    let endpoint = Endpoint.ipc(path: folder.url.appendingPathComponent("s").path)
    return Fixture(
      name: "ipc", listen: { try ZeroMQServer(bind: endpoint) },
      connect: { try ZeroMQClient(connect: endpoint, identity: $0) }, folder: folder)
  }

  static func curve() throws -> Fixture {
    let folder = try TemporaryFolder()
    let store = KeyStore(folder: folder.url)
    let server = try store.generate(name: "server")
    let worker = try store.generate(name: "worker")
    try store.authorize(name: "worker", publicKey: worker.publicKey)
    let port = try FreePort.find()
    return Fixture(
      name: "curve",
      listen: {
        try ZeroMQServer(
          bind: .tcp(host: "127.0.0.1", port: port),
          security: .curve(server, authorizedFolder: store.authorizedFolder))
      },
      connect: {
        try ZeroMQClient(
          connect: .tcp(host: "127.0.0.1", port: port), identity: $0, security: .curve(worker, server: server.publicKey)
        )
      }, folder: folder)
  }

  static let all: [@Sendable () throws -> Fixture] = [
    { try inMemory() }, { try ipc() }, { try curve() },
  ]

  @Test(arguments: 0..<3) func echoInOrderWithAttachments(index: Int) async throws {
    let fixture = try Self.all[index]()
    let server = try await Patience.retry { try fixture.listen() }
    let client = try fixture.connect("w")
    let echo = Task { await Echo.run(server) }
    let greetings = try await Echo.waitUntilConnected(client)
    for number in 0..<500 {
      let attachment: [UInt8]? = number % 3 == 0 ? Array(repeating: UInt8(number % 251), count: 5000) : nil
      client.send(WireFrames(json: Array("message \(number)".utf8), attachment: attachment))
    }
    var received = 0
    for await event in client.events {
      guard case .message(let frames) = event else { continue }
      #expect(frames.json == Array("message \(received)".utf8))
      #expect(frames.attachment?.count == (received % 3 == 0 ? 5000 : nil))
      received += 1
      if received == 500 { break }
    }
    #expect(received == 500)
    client.close()
    server.close()
    #expect(await echo.value == 500 + greetings)
  }

  @Test(arguments: 0..<3) func theClientIsServedAgainAfterTheServerWasRestarted(index: Int) async throws {
    let fixture = try Self.all[index]()
    var server = try await Patience.retry { try fixture.listen() }
    let client = try fixture.connect("w")
    var echo = Task { [server] in await Echo.run(server) }
    try await Echo.waitUntilConnected(client)
    server.close()
    _ = await echo.value
    server = try await Patience.retry { try fixture.listen() }
    echo = Task { [server] in await Echo.run(server) }
    try await Echo.waitUntilConnected(client)
    // A connection of its own under a new routing id works as well.
    client.reconnect()
    try await Echo.waitUntilConnected(client)
    client.close()
    server.close()
    _ = await echo.value
  }

  @Test(arguments: 0..<3) func anEndedConnectionIsUnheardAndANewOneIsHeard(index: Int) async throws {
    let fixture = try Self.all[index]()
    let server = try await Patience.retry { try fixture.listen() }
    let (bad, good) = (try fixture.connect("bad"), try fixture.connect("good"))
    let board = Heard()
    let reading = Task {
      for await event in server.events {
        guard case .message(let peer, let frames) = event else { continue }
        board.note(peer)
        server.send(frames, to: peer)
      }
    }
    try await Echo.waitUntilConnected(good)
    try await Echo.waitUntilConnected(bad)
    let first = try #require(board.peers.first { $0.description.hasPrefix("bad") })
    server.disconnect(first)
    // What is under way at this moment may still arrive.
    try await Task.sleep(for: .milliseconds(200))
    let before = board.count(first)
    for _ in 0..<50 {
      bad.send(WireFrames(json: [1]))
      try await Task.sleep(for: .milliseconds(10))
    }
    #expect(board.count(first) == before)
    // The others notice nothing.
    try await Echo.waitUntilConnected(good)
    // Under a new routing id it is heard again, its key at a slow pace.
    bad.reconnect()
    try await Echo.waitUntilConnected(bad)
    #expect(board.peers.count == 3)
    bad.close()
    good.close()
    server.close()
    await reading.value
  }

  @Test(arguments: 0..<3) func aMessageToNobodyIsReported(index: Int) async throws {
    let fixture = try Self.all[index]()
    let server = try await Patience.retry { try fixture.listen() }
    let stranger = Peer(id: Array("nobody.1".utf8))
    server.send(WireFrames(json: [1]), to: stranger)
    let event = await server.events.next()
    #expect(event == .undeliverable(stranger))
    server.close()
    #expect(await server.events.next() == nil)
  }
}

@Suite(.bounded) struct EndpointTests {
  @Test func texts() throws {
    #expect(try Endpoint("tcp://127.0.0.1:5555") == .tcp(host: "127.0.0.1", port: 5555))
    #expect(try Endpoint("tcp://[::1]:5555") == .tcp(host: "[::1]", port: 5555))
    #expect(try Endpoint("tcp://*:*") == .tcp(host: "*", port: 0))
    #expect(try Endpoint("ipc:///tmp/x") == .ipc(path: "/tmp/x"))
    for bad in ["", "tcp://", "tcp://host", "tcp://host:99999", "inproc://x", "ipc://", "udp://h:1", "host:1"] {
      #expect(throws: TransportError.self, "\(bad)") { try Endpoint(bad) }
    }
    #expect(throws: TransportError.self) { try Endpoint("ipc:///" + String(repeating: "a", count: 108)) }
  }

  @Test func localEndpointsLieInAPrivateFolderAndDifferByStudy() throws {
    let folder = try TemporaryFolder()
    let environment = ["XDG_RUNTIME_DIR": folder.url.path]
    let first = try Endpoint.local(studyFolder: URL(fileURLWithPath: "/a/b"), environment: environment)
    let second = try Endpoint.local(studyFolder: URL(fileURLWithPath: "/a/c"), environment: environment)
    #expect(first != second)
    #expect(try Endpoint.local(studyFolder: URL(fileURLWithPath: "/a/b"), environment: environment) == first)
    let attributes = try FileManager.default.attributesOfItem(atPath: folder.url.path + "/engram")
    #expect((attributes[.posixPermissions] as? Int) == 0o700)
  }

  @Test func aForeignFileInTheWayIsNotRemoved() throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("s").path
    try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: TransportError.self) { try ZeroMQServer(bind: .ipc(path: path)) }
    #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
  }

  @Test("the socket's file is this user's alone from its first moment on") func socketMode() async throws {
    let folder = try TemporaryFolder()
    let path = folder.url.appendingPathComponent("open").path
    let isOver = Mutex(false)
    let modes = Mutex<Set<mode_t>>([])
    let watcher = Thread {
      while !isOver.withLock({ $0 }) {
        var info = stat()
        if lstat(path, &info) == 0 { modes.withLock { _ = $0.insert(info.st_mode & 0o777) } }
      }
    }
    watcher.start()
    for _ in 0..<50 {
      let server = try ZeroMQServer(bind: .ipc(path: path))
      server.close()
      #expect(await server.events.next() == nil)
    }
    isOver.withLock { $0 = true }
    #expect(modes.withLock { $0 } == [0o600])
  }

  @Test func aSecondServerOnTheSameSocketIsRefused() throws {
    let folder = try TemporaryFolder()
    let endpoint = Endpoint.ipc(path: folder.url.appendingPathComponent("s").path)
    let first = try ZeroMQServer(bind: endpoint)
    let error = #expect(throws: TransportError.self) { try ZeroMQServer(bind: endpoint) }
    #expect(error?.code == .addressInUse)
    first.close()
  }

  @Test func bindErrorsSayWhatToDo() throws {
    let keys = try KeyPair.generate()
    let folder = try TemporaryFolder()
    let security = ZeroMQServer.Security.curve(keys, authorizedFolder: folder.url)
    let first = try ZeroMQServer(bind: .tcp(host: "127.0.0.1", port: 0), security: security)
    let endpoint = try Endpoint(first.endpoint)
    let used = #expect(throws: TransportError.self) { try ZeroMQServer(bind: endpoint, security: security) }
    #expect(used?.code == .addressInUse)
    let foreign = #expect(throws: TransportError.self) {
      try ZeroMQServer(bind: .tcp(host: "192.0.2.1", port: 0), security: security)
    }
    #expect(foreign?.code == .addressNotAvailable)
    first.close()
  }

  @Test func oldLibrariesAreRefused() throws {
    #expect(throws: TransportError.self) { try ZeroMQLibrary.check(version: (4, 3, 2)) }
    try ZeroMQLibrary.check(version: (4, 3, 3))
    try ZeroMQLibrary.check(version: (5, 0, 0))
    try ZeroMQLibrary.check()
    #expect(ZeroMQLibrary.hasCurve)
  }
}
