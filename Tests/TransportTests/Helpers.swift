import CZeroMQ
import Foundation
import Glibc
import Study
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

  private static func frames(_ number: Int) -> WireFrames { Hello.frames(number) }
}

extension Hello {
  /// A greeting as a session sends it: on probation a connection has to begin with one.
  static func frames(_ number: Int, worker: String = "w") -> WireFrames {
    let hello = Hello(
      worker: worker, incarnation: "x", study: "s", build: "test", fingerprints: Fingerprints([:]), host: "h",
      device: "cpu", pid: 1, capabilities: Capabilities(memoryBytes: 1, cores: 1, evaluator: "analytic"))
    return MessageCodec().encode(Envelope(id: Int64(number), message: .hello(hello)))
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

/// A connection that speaks as it likes.
final class RawConnection {
  let descriptor: Int32

  init(port: UInt16) throws {
    descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard status == 0 else { throw PatienceError() }
    makeNonblocking()
  }

  init(path: String) throws {
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard UnixSocket.withAddress(path, { connect(descriptor, $0, $1) }) == 0 else { throw PatienceError() }
    makeNonblocking()
  }

  private func makeNonblocking() {
    var flags = fcntl(descriptor, F_GETFL)
    flags |= O_NONBLOCK
    _ = fcntl(descriptor, F_SETFL, flags)
  }

  deinit { Glibc.close(descriptor) }

  /// Sends as much as goes, waiting up to `seconds`; returns the number of bytes that went.
  @discardableResult
  func send(_ bytes: [UInt8], seconds: Double = 1) -> Int {
    var sent = 0
    let limit = ContinuousClock.now + .seconds(seconds)
    while sent < bytes.count, ContinuousClock.now < limit {
      let count = bytes[sent...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count > 0 {
        sent += count
      } else if errno == EAGAIN {
        usleep(500)
      } else {
        break
      }
    }
    return sent
  }

  /// Whether the other side has ended it.
  var isEnded: Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      if count > 0 { continue }
      return count == 0 || errno != EAGAIN
    }
  }

  /// What opens a ZeroMQ connection under CURVE, as far as anybody can say it without a key.
  static var greeting: [UInt8] {
    let mechanism = Array("CURVE".utf8) + [UInt8](repeating: 0, count: 15)
    return [0xff] + [UInt8](repeating: 0, count: 8) + [0x7f, 3, 0] + mechanism + [UInt8](repeating: 0, count: 32)
  }

  /// The head of a frame that announces so many bytes.
  static func frameHead(_ bytes: Int) -> [UInt8] {
    [4 | 2] + (0..<8).map { UInt8(truncatingIfNeeded: bytes >> (56 - 8 * $0)) }
  }
}

enum Memory {
  /// Bytes of this process in memory.
  static var resident: Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let parts = text.split(separator: " ")
    return parts.count > 1 ? (Int(parts[1]) ?? 0) * 4096 : 0
  }
}

enum ZeroMQTestConstants {
  static var dealer: Int32 { ZMQ_DEALER }
  static var linger: Int32 { ZMQ_LINGER }
  static func connect(_ socket: ZeroMQSocket, _ endpoint: String) -> Bool {
    zmq_connect(socket.pointer, endpoint) == 0
  }
}
