import CZeroMQ

/// What libzmq reports about the connections of a bound socket.
///
/// An accepted connection is reported before its first message can be received, an ended one before its descriptor is
/// closed.
final class ConnectionMonitor {
  enum Event: Equatable {
    case accepted(Int32)
    case ended(Int32)
    /// The operating system gave no descriptor; its error number.
    case acceptFailed(Int32)
  }

  private static let address = "inproc://engram.server.monitor"
  private let router: ZeroMQSocket
  private let socket: ZeroMQSocket

  init(_ router: ZeroMQSocket, context: ZeroMQContext) throws {
    self.router = router
    socket = try ZeroMQSocket(context, type: ZMQ_PAIR)
    try socket.set(ZMQ_LINGER, Int32(0))
    // Without a limit: libzmq's own thread would wait for room in here.
    try socket.set(ZMQ_RCVHWM, Int32(0))
    let watched = ZMQ_EVENT_ACCEPTED | ZMQ_EVENT_ACCEPT_FAILED | ZMQ_EVENT_DISCONNECTED
    guard zmq_socket_monitor(router.pointer, Self.address, watched) == 0,
      zmq_connect(socket.pointer, Self.address) == 0
    else {
      throw TransportError(.system, "cannot watch the connections: \(ZeroMQLibrary.lastError())")
    }
  }

  /// Before either socket is closed: libzmq's threads would wait for ever to report to a monitor that is gone.
  deinit { zmq_socket_monitor(router.pointer, nil, 0) }

  /// The next event; nil where there is none.
  ///
  /// Frame 1 = event number (16 bits) and value (32 bits), frame 2 = address.
  func take() -> Event? {
    while let message = socket.receive(frameLimit: 2) {
      guard let first = message.frames.first, first.count >= 6 else { continue }
      let value = Int32(bitPattern: (2..<6).reduce(UInt32(0)) { $0 | UInt32(first[$1]) << (8 * UInt32($1 - 2)) })
      switch Int32(first[0]) | Int32(first[1]) << 8 {
      case ZMQ_EVENT_ACCEPTED: return .accepted(value)
      case ZMQ_EVENT_DISCONNECTED: return .ended(value)
      case ZMQ_EVENT_ACCEPT_FAILED: return .acceptFailed(value)
      default: continue
      }
    }
    return nil
  }

  func pollItem() -> zmq_pollitem_t { socket.pollItem() }
}
