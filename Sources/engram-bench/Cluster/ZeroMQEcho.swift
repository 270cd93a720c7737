import CZeroMQ
import Foundation
import Foundations
import Glibc
import Transport

/// Bare ROUTER and DEALER sockets, as a yardstick for what runs on top of them: no sessions, no JSON, no queues.
enum ZeroMQEcho {
  /// How the yardstick's connections are protected, as the server sees it.
  enum Protection: Sendable {
    case none
    /// CURVE; every key is admitted.
    case curve(server: KeyPair)
  }

  /// Sends `messages` messages back to their senders, on the calling thread.
  ///
  /// - Parameter ready: called with the bound address.
  /// - Throws: ``TransportError``.
  static func serve(
    _ endpoint: Endpoint, protection: Protection = .none, messages: Int, ready: (String) -> Void
  ) throws {
    FileLimit.raise(to: 65_536)
    let context = try ZeroMQContext()
    let router = try ZeroMQSocket(context, type: ZMQ_ROUTER)
    try router.set(ZMQ_BACKLOG, Int32(1024))
    try router.set(ZMQ_LINGER, Int32(1_000))
    if case .curve(let pair) = protection {
      try router.set(ZMQ_CURVE_SERVER, Int32(1))
      try router.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    }
    guard zmq_bind(router.pointer, endpoint.description) == 0 else {
      throw TransportError(.system, "cannot listen on \(endpoint): \(ZeroMQLibrary.lastError())")
    }
    ready(router.lastEndpoint)
    var message = zmq_msg_t()
    zmq_msg_init(&message)
    defer { zmq_msg_close(&message) }
    var left = messages
    while left > 0 {
      guard zmq_msg_recv(&message, router.pointer, 0) >= 0 else {
        if zmq_errno() == EINTR { continue }
        throw TransportError(.system, "the echo cannot receive: \(ZeroMQLibrary.lastError())")
      }
      let isLast = zmq_msg_more(&message) == 0
      guard zmq_msg_send(&message, router.pointer, isLast ? 0 : ZMQ_SNDMORE) >= 0 else {
        throw TransportError(.system, "the echo cannot send: \(ZeroMQLibrary.lastError())")
      }
      if isLast { left -= 1 }
    }
  }

  /// Sends `messages` messages of `bytes` bytes over `connections` connections, each with one message on its way at a
  /// time, and waits for the echoes; one more per connection goes before the clock starts.
  ///
  /// - Returns: seconds for `messages` there and back.
  /// - Throws: ``TransportError``.
  static func drive(
    _ endpoint: Endpoint, security: ZeroMQClient.Security = .none, connections: Int, messages: Int, bytes: Int
  ) throws -> Double {
    FileLimit.raise(to: 3 * connections + 256)
    let context = try ZeroMQContext(sockets: Int32(clamping: connections + 16))
    let poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poll >= 0 else { throw TransportError(.system, "cannot make an epoll; see ulimit -n") }
    defer { Glibc.close(poll) }
    var sockets: [ZeroMQSocket] = []
    for index in 0..<connections {
      let socket = try ZeroMQSocket(context, type: ZMQ_DEALER)
      try socket.set(ZMQ_LINGER, Int32(0))
      if case .curve(let pair, let server) = security {
        try socket.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(server.text) ?? [])
        try socket.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
        try socket.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
      }
      guard zmq_connect(socket.pointer, endpoint.description) == 0 else {
        throw TransportError(.badEndpoint, "cannot connect to \(endpoint): \(ZeroMQLibrary.lastError())")
      }
      var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(u64: UInt64(index)))
      epoll_ctl(poll, EPOLL_CTL_ADD, try socket.readinessDescriptor(), &event)
      sockets.append(socket)
    }
    var round = Round(sockets: sockets, poll: poll, payload: [UInt8](repeating: 65, count: bytes))
    try round.run(messages: connections)
    let start = ContinuousClock.now
    try round.run(messages: messages)
    return start.duration(to: .now).seconds
  }

  /// One round of messages.
  private struct Round {
    let sockets: [ZeroMQSocket]
    let poll: Int32
    let payload: [UInt8]

    mutating func run(messages: Int) throws {
      var sent = 0
      var received = 0
      for socket in sockets where sent < messages {
        // Without ZMQ_IMMEDIATE the message waits in the socket until the connection stands.
        guard socket.send([payload]) else { throw TransportError(.system, "the echo's client cannot send") }
        sent += 1
      }
      // A send may swallow the signal of what arrived meanwhile: all are looked at once.
      for socket in sockets { take(socket, &sent, &received, messages) }
      var events = [epoll_event](repeating: epoll_event(), count: 256)
      while received < messages {
        let count = epoll_wait(poll, &events, 256, 10_000)
        guard count > 0 else {
          if count < 0 && errno == EINTR { continue }
          throw TransportError(.system, "the echo has stopped after \(received) of \(messages) messages")
        }
        for index in 0..<Int(count) { take(sockets[Int(events[index].data.u64)], &sent, &received, messages) }
      }
    }

    private func take(_ socket: ZeroMQSocket, _ sent: inout Int, _ received: inout Int, _ messages: Int) {
      while socket.receive(frameLimit: 1) != nil {
        received += 1
        if sent < messages, socket.send([payload]) { sent += 1 }
      }
    }
  }
}
