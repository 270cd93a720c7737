import Foundation
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// Who is let in, and who is not.
@Suite(.bounded) struct SecurityTests {
  let folder: TemporaryFolder
  let store: KeyStore
  let serverKeys: KeyPair
  let workerKeys: KeyPair
  let server: ZeroMQServer
  let endpoint: Endpoint

  init() throws {
    folder = try TemporaryFolder()
    store = KeyStore(folder: folder.url)
    serverKeys = try store.generate(name: "server")
    workerKeys = try store.generate(name: "worker")
    try store.authorize(name: "worker", publicKey: workerKeys.publicKey)
    server = try ZeroMQServer(
      bind: .tcp(host: "127.0.0.1", port: 0), security: .curve(serverKeys, authorizedFolder: store.authorizedFolder))
    endpoint = try Endpoint(server.endpoint)
  }

  private func client(_ security: ZeroMQClient.Security) throws -> ZeroMQClient {
    try ZeroMQClient(connect: endpoint, identity: "w", security: security)
  }

  /// Sends for a while and says whether the server saw a single message, and what it turned away.
  private func isRefused(_ client: some ClientTransport) async -> Bool {
    let echo = Task { await Echo.run(server) }
    for _ in 0..<15 {
      client.send(WireFrames(json: [42]))
      try? await Task.sleep(for: .milliseconds(100))
    }
    client.close()
    server.close()
    return await echo.value == 0
  }

  @Test func anAuthorizedKeyIsServed() async throws {
    let client = try client(.curve(workerKeys, server: serverKeys.publicKey))
    #expect(!(await isRefused(client)))
  }

  @Test func anUnknownKeyIsRefusedAndReported() async throws {
    let stranger = try KeyPair.generate()
    let client = try client(.curve(stranger, server: serverKeys.publicKey))
    client.send(WireFrames(json: [42]))
    let event = await server.events.next()
    guard case .turnedAway(let key, let address, let count) = event else {
      Issue.record("\(String(describing: event))")
      return
    }
    #expect(key == stranger.publicKey.fingerprint)
    #expect(address == "127.0.0.1")
    #expect(count >= 1)
    #expect(await isRefused(client))
    #expect(client.connectionState == .handshakeFailed)
  }

  @Test func aWrongServerKeyIsRefused() async throws {
    let other = try KeyPair.generate()
    #expect(await isRefused(try client(.curve(workerKeys, server: other.publicKey))))
  }

  @Test func aClientWithoutKeysIsRefused() async throws {
    // The client's own check would refuse it; go around it with a socket of our own.
    let context = try ZeroMQContext()
    let socket = try ZeroMQSocket(context, type: ZeroMQTestConstants.dealer)
    try socket.set(ZeroMQTestConstants.linger, Int32(0))
    #expect(ZeroMQTestConstants.connect(socket, endpoint.description))
    let echo = Task { await Echo.run(server) }
    for _ in 0..<10 {
      _ = socket.send([[42]])
      try await Task.sleep(for: .milliseconds(100))
    }
    server.close()
    #expect(await echo.value == 0)
    #expect(socket.receive(frameLimit: 2) == nil)
  }

  @Test func aRevokedKeyIsNoLongerHeardAndCannotConnectAgain() async throws {
    let client = try client(.curve(workerKeys, server: serverKeys.publicKey))
    let (heard, revoked) = (Counter(), Counter())
    let echo = Task {
      for await event in server.events {
        switch event {
        case .message: heard.add()
        case .keyRevoked: revoked.add()
        default: break
        }
      }
    }
    try await Patience.until {
      client.send(WireFrames(json: [42]))
      return heard.value > 0
    }
    try store.revoke(name: "worker")
    // Nothing of the key follows this event.
    try await Patience.until {
      client.send(WireFrames(json: [42]))
      return revoked.value > 0
    }
    let before = heard.value
    for _ in 0..<20 {
      client.send(WireFrames(json: [42]))
      try await Task.sleep(for: .milliseconds(20))
    }
    client.reconnect()
    for _ in 0..<10 {
      client.send(WireFrames(json: [42]))
      try await Task.sleep(for: .milliseconds(50))
    }
    #expect(heard.value == before)
    // Admitted again without a restart.
    try store.authorize(name: "worker", publicKey: workerKeys.publicKey)
    client.reconnect()
    try await Patience.until {
      client.send(WireFrames(json: [42]))
      return heard.value > before
    }
    client.close()
    server.close()
    await echo.value
  }

  @Test func tcpWithoutKeysIsRefusedOnBothSides() throws {
    for host in ["127.0.0.1", "*", "[::1]"] {
      let error = #expect(throws: TransportError.self) { try ZeroMQServer(bind: .tcp(host: host, port: 0)) }
      #expect(error?.code == .keysRequired)
    }
    let error = #expect(throws: TransportError.self) {
      try ZeroMQClient(connect: .tcp(host: "127.0.0.1", port: 9), identity: "w")
    }
    #expect(error?.code == .keysRequired)
    server.close()
  }

  @Test func keysAreKeptPrivateAndListed() throws {
    server.close()
    #expect("\(workerKeys)".contains(workerKeys.secret) == false)
    let entries = try store.list()
    #expect(entries.map(\.name) == ["server", "worker"])
    #expect(entries.map(\.isAuthorized) == [false, true])
    #expect(throws: TransportError.self) { try store.generate(name: "worker") }
    #expect(throws: TransportError.self) { try store.generate(name: "../evil") }
    #expect(throws: TransportError.self) { try store.pair(name: "nobody") }
    #expect(throws: TransportError.self) { try store.revoke(name: "nobody") }
    #expect(throws: TransportError.self) { try PublicKey("short") }
    let secret = folder.url.appendingPathComponent("worker.secret").path
    #expect((try FileManager.default.attributesOfItem(atPath: secret)[.posixPermissions] as? Int) == 0o600)
    #expect(try store.pair(name: "worker").publicKey == workerKeys.publicKey)
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: secret)
    #expect(throws: TransportError.self) { try store.pair(name: "worker") }
  }
}
