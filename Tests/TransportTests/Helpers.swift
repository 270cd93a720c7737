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

  /// Sends until an answer comes, and takes every answer out of the box; returns how many there were.
  ///
  /// What is sent while a server goes away may be taken by the dying connection and be lost without a word, so that silence
  /// is answered with another message, as a session does. Answers come in order: with the last one none is left.
  @discardableResult
  static func waitUntilConnected(_ client: any ClientTransport) async throws -> Int {
    let greetings = Greetings(client)
    let again = Task {
      for _ in 0..<60 {
        try await Task.sleep(for: .seconds(1))
        greetings.sendAfterSilence()
      }
      client.close()
    }
    defer { again.cancel() }
    var (answers, refusals) = (0, 0)
    greetings.send()
    while refusals < 600, let event = await client.events.next() {
      greetings.noteEvent()
      if case .message(let frames) = event {
        answers += 1
        if greetings.endsWith(frames) { return answers }
      } else {
        refusals += 1
        try await Task.sleep(for: .milliseconds(20))
        greetings.send()
      }
    }
    throw PatienceError()
  }
}

/// Numbered messages of one client, until the last of them has come back.
private final class Greetings: Sendable {
  private let state = Mutex((sent: 0, isSilent: true, isDone: false))
  private let client: any ClientTransport

  init(_ client: any ClientTransport) { self.client = client }

  func send() { state.withLock { send(&$0) } }

  /// Sends unless something was heard since the last call.
  func sendAfterSilence() {
    state.withLock { state in
      if state.isSilent { send(&state) }
      state.isSilent = true
    }
  }

  func noteEvent() { state.withLock { $0.isSilent = false } }

  private func send(_ state: inout (sent: Int, isSilent: Bool, isDone: Bool)) {
    guard !state.isDone else { return }
    state.sent += 1
    client.send(Self.frames(state.sent))
  }

  func endsWith(_ answer: WireFrames) -> Bool {
    state.withLock { state in
      state.isDone = answer == Self.frames(state.sent)
      return state.isDone
    }
  }

  private static func frames(_ number: Int) -> WireFrames { WireFrames(json: Array("greeting \(number)".utf8)) }
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
