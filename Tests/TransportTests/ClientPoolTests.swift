import Foundation
import TestSupport
import Testing
import WireProtocol

@testable import Transport

/// Many clients in one process share a context and a thread.
@Suite(.bounded) struct ClientPoolTests {
  private static func makeServer(_ folder: TemporaryFolder) throws -> (ZeroMQServer, Endpoint) {
    let endpoint = Endpoint.ipc(path: folder.url.appendingPathComponent("s").path)
    return (try ZeroMQServer(bind: endpoint), endpoint)
  }

  private static func threads() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count
  }

  /// No more than these: from some 1,300 descriptors on, Foundation's `Process` reads past the end of its list of them.
  private static let many = 60

  @Test func manyClientsNeedNoThreadsOfTheirOwn() async throws {
    let folder = try TemporaryFolder()
    let (server, endpoint) = try Self.makeServer(folder)
    let echo = Task { await Echo.run(server) }
    let pool = try ZeroMQClientPool(connections: Self.many)
    let before = try Self.threads()
    let clients = try (0..<Self.many).map { try pool.connect(to: endpoint, identity: "w\($0)") }
    #expect(try Self.threads() < before + 100)
    for client in clients { try await Echo.waitUntilConnected(client) }
    // Interleaved, and more than one message on its way per client.
    for round in 0..<5 {
      for (index, client) in clients.enumerated() {
        for part in 0..<3 { client.send(WireFrames(json: Array("\(index) \(round) \(part)".utf8))) }
      }
      for (index, client) in clients.enumerated() {
        for part in 0..<3 {
          #expect(await client.events.next() == .message(WireFrames(json: Array("\(index) \(round) \(part)".utf8))))
        }
      }
    }
    clients[7].reconnect()
    try await Echo.waitUntilConnected(clients[7])
    clients[8].close()
    #expect(await clients[8].events.next() == nil)
    pool.close()
    #expect(await clients[9].events.next() == nil)
    #expect(throws: TransportError.self) { try pool.connect(to: endpoint, identity: "late") }
    server.close()
    #expect(await echo.value >= Self.many * 16)
  }

  @Test func aClientThatDoesNotReadHoldsBackNobodyElse() async throws {
    let folder = try TemporaryFolder()
    let (server, endpoint) = try Self.makeServer(folder)
    let pool = try ZeroMQClientPool(connections: 2)
    let lazy = try pool.connect(to: endpoint, identity: "lazy")
    let other = try pool.connect(to: endpoint, identity: "other")
    let echo = Task { await Echo.run(server) }
    try await Echo.waitUntilConnected(lazy)
    try await Echo.waitUntilConnected(other)
    // More than the box of the lazy client holds (16 MiB).
    let large = [UInt8](repeating: 65, count: WireLimits.standard.attachmentBytes)
    for _ in 0..<160 {
      lazy.send(WireFrames(json: [1], attachment: large))
      other.send(WireFrames(json: [2]))
      guard case .message = await other.events.next() else {
        Issue.record("no answer")
        return
      }
    }
    for _ in 0..<160 { #expect(await lazy.events.next() == .message(WireFrames(json: [1], attachment: large))) }
    pool.close()
    server.close()
    #expect(await echo.value >= 50)
  }

  @Test func abandonedClientsAreClosed() async throws {
    let folder = try TemporaryFolder()
    let (server, endpoint) = try Self.makeServer(folder)
    let pool = try ZeroMQClientPool(connections: 3)
    // Far more than it may hold at a time: each is gone before the next.
    for index in 0..<100 {
      let events = try await Patience.retry { try pool.connect(to: endpoint, identity: "w\(index)").events }
      #expect(await events.next() == nil)
    }
    pool.close()
    server.close()
  }

  @Test func aBatchIsWhatIsThere() async throws {
    let inbox = Inbox<Int>()
    for number in 0..<10 { inbox.put(number, cost: 1) }
    #expect(await inbox.nextBatch(limit: 4) == [0, 1, 2, 3])
    #expect(await inbox.nextBatch(limit: 100) == [4, 5, 6, 7, 8, 9])
    inbox.finish()
    #expect(await inbox.nextBatch(limit: 100) == nil)
  }
}
