import CZeroMQ
import Foundation
import Glibc
import Synchronization
import WireProtocol

@testable import Transport

/// A server that sends everything back.
enum Echo {
  /// Runs until the server is closed; returns the number of messages.
  static func run(_ server: any ServerTransport) async -> Int {
    var count = 0
    for await event in server.events {
      guard case .message(let peer, let frames) = event else { continue }
      count += 1
      server.send(frames, to: peer)
    }
    return count
  }

  /// Sends until an answer comes, and takes every answer out of the box.
  static func waitUntilConnected(_ client: any ClientTransport) async throws {
    for attempt in 0..<600 {
      client.send(WireFrames(json: [UInt8(attempt % 256), 0]))
      guard let event = await client.events.next() else { throw PatienceError() }
      if case .message = event { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw PatienceError()
  }
}

struct PatienceError: Error {}

enum Patience {
  static func until(_ condition: () -> Bool) async throws {
    for _ in 0..<600 {
      if condition() { return }
      try await Task.sleep(for: .milliseconds(20))
    }
    throw PatienceError()
  }

  static func retry<T>(_ body: () throws -> T) async throws -> T {
    for _ in 0..<200 {
      if let value = try? body() { return value }
      try await Task.sleep(for: .milliseconds(20))
    }
    return try body()
  }
}

final class Counter: Sendable {
  private let count = Mutex(0)
  func add() { count.withLock { $0 += 1 } }
  var value: Int { count.withLock { $0 } }
}

/// How many messages came from whom.
final class Heard: Sendable {
  private let counts = Mutex<[Peer: Int]>([:])
  func note(_ peer: Peer) { counts.withLock { $0[peer, default: 0] += 1 } }
  func count(_ peer: Peer) -> Int { counts.withLock { $0[peer] ?? 0 } }
  var peers: Set<Peer> { counts.withLock { Set($0.keys) } }
}

enum FreePort {
  /// A port that is free at the moment.
  static func find() throws -> UInt16 {
    let keys = try KeyPair.generate()
    let server = try ZeroMQServer(
      bind: .tcp(host: "127.0.0.1", port: 0),
      security: .curve(keys, authorizedFolder: FileManager.default.temporaryDirectory))
    defer { server.close() }
    guard case .tcp(_, let port) = try Endpoint(server.endpoint) else { throw PatienceError() }
    return port
  }
}

enum ZeroMQTestConstants {
  static var dealer: Int32 { ZMQ_DEALER }
  static var linger: Int32 { ZMQ_LINGER }
  static func connect(_ socket: ZeroMQSocket, _ endpoint: String) -> Bool {
    zmq_connect(socket.pointer, endpoint) == 0
  }
}
