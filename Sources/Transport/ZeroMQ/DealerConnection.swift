import CZeroMQ
import WireProtocol

/// One client's DEALER socket with its monitor; lives on the thread of its pool.
final class DealerConnection {
  let plan: DealerPlan
  /// Whether the reader's box is full: nothing is taken from the network until ``release()``.
  private var isHeld = false
  private let context: ZeroMQContext
  private let watch: Watch
  private var dealer: ZeroMQSocket?
  private var monitor: ZeroMQSocket?
  private var descriptors: [Int32] = []
  private var connections = 0
  private var isHandshaking = false

  /// Adds and removes descriptors of the pool's wait.
  struct Watch {
    var add: (Int32) throws -> Void
    var remove: (Int32) -> Void
  }

  init(_ plan: DealerPlan, context: ZeroMQContext, watch: Watch) throws {
    self.plan = plan
    self.context = context
    self.watch = watch
    try connect()
  }

  deinit {
    disconnect()
    plan.events.finish()
  }

  private func connect() throws {
    connections += 1
    let dealer = try ZeroMQSocket(context, type: ZMQ_DEALER)
    self.dealer = dealer
    try setOptions(dealer)
    let address = "inproc://engram.monitor.\(plan.number).\(connections)"
    let watched =
      ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
      | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED
      | ZMQ_EVENT_CONNECTED
    if zmq_socket_monitor(dealer.pointer, address, watched) == 0 {
      let monitor = try ZeroMQSocket(context, type: ZMQ_PAIR)
      try monitor.set(ZMQ_LINGER, Int32(0))
      if zmq_connect(monitor.pointer, address) == 0 { self.monitor = monitor }
    }
    guard zmq_connect(dealer.pointer, plan.endpoint.description) == 0 else {
      throw TransportError(
        .badEndpoint, "cannot connect to \(plan.endpoint): \(ZeroMQLibrary.lastError()); check host and port")
    }
    for socket in [dealer, monitor].compactMap({ $0 }) {
      let descriptor = try socket.readinessDescriptor()
      try watch.add(descriptor)
      descriptors.append(descriptor)
    }
  }

  private func setOptions(_ dealer: ZeroMQSocket) throws {
    // New for every connection: the server ignores a second connection under a routing id it still holds.
    try dealer.set(ZMQ_ROUTING_ID, "\(plan.identity).\(connections)")
    // Messages go only into finished connections: what cannot be sent is dropped here and now and repeated by the
    // session, instead of arriving late after a restart of the coordinator.
    try dealer.set(ZMQ_IMMEDIATE, Int32(1))
    // Liveness is the sessions' business.
    try dealer.set(ZMQ_HEARTBEAT_IVL, Int32(0))
    try dealer.set(ZMQ_MAXMSGSIZE, plan.limits.largestWireFrame)
    try dealer.set(ZMQ_HANDSHAKE_IVL, Int32(10_000))
    // Connect again for ever: first after 100 ms, then at doubling intervals up to 2 s, each try for at most 3 s; so a
    // worker is back within seconds of a network's repair.
    try dealer.set(ZMQ_RECONNECT_IVL, Int32(100))
    try dealer.set(ZMQ_RECONNECT_IVL_MAX, Int32(2_000))
    try dealer.set(ZMQ_CONNECT_TIMEOUT, Int32(3_000))
    // A connection on which nothing is confirmed for 15 s is given up: TCP's own next try may be a minute away.
    try dealer.set(ZMQ_TCP_MAXRT, Int32(15_000))
    // At the end a result or a goodbye gets half a second to leave.
    try dealer.set(ZMQ_LINGER, Int32(500))
    try dealer.set(ZMQ_SNDHWM, Int32(1000))
    try dealer.set(ZMQ_RCVHWM, Int32(1000))
    try dealer.set(ZMQ_TCP_KEEPALIVE, Int32(1))
    try dealer.set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(60))
    if case .tcp(let host, _) = plan.endpoint { try dealer.set(ZMQ_IPV6, Int32(host.hasPrefix("[") ? 1 : 0)) }
    if case .curve(let pair, let server) = plan.security {
      try dealer.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(server.text) ?? [])
      try dealer.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
      try dealer.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    }
  }

  private func disconnect() {
    // Before the sockets: a closed descriptor's number may be taken again at once.
    for descriptor in descriptors { watch.remove(descriptor) }
    descriptors = []
    // Before either end is closed: libzmq's threads would wait for ever to report to a monitor that is gone.
    if let dealer { zmq_socket_monitor(dealer.pointer, nil, 0) }
    monitor = nil
    dealer = nil
  }

  func send(_ frames: WireFrames) {
    let list = [frames.json] + (frames.attachment.map { [$0] } ?? [])
    if dealer?.send(list) != true { plan.events.put(.undeliverable, cost: 0) }
  }

  func reconnect() {
    try? dealer?.set(ZMQ_LINGER, Int32(0))
    disconnect()
    isHeld = false
    plan.status.state.withLock { $0 = .connecting }
    // The same address worked before; should it fail now, the next `reconnect` tries again.
    try? connect()
  }

  /// Takes what has arrived; returns whether more may be there.
  func receive() -> Bool {
    readMonitor()
    guard !isHeld else { return false }
    // A bounded number per turn, so that the others get their turn.
    for _ in 0..<256 {
      guard let received = dealer?.receive(frameLimit: 2) else { return false }
      let frames = WireFrames(
        json: received.frames.count > 2 ? [] : received.frames[0],
        attachment: received.frames.count == 2 ? received.frames[1] : nil)
      let cost = frames.json.count + (frames.attachment?.count ?? 0)
      if !plan.events.put(.message(frames), cost: cost) {
        hold()
        return false
      }
    }
    return true
  }

  private func hold() {
    isHeld = true
    // Unwatched, or what waits in the socket would end every wait of the pool at once.
    if let first = descriptors.first { watch.remove(first) }
  }

  /// The reader has made room.
  func release() {
    guard isHeld else { return }
    isHeld = false
    // Was watched before; should it fail, every send still looks for what has arrived.
    if let first = descriptors.first { try? watch.add(first) }
  }

  /// A monitor event: frame 1 = event number (16 bits) and value (32 bits), frame 2 = address.
  private func readMonitor() {
    while let event = monitor?.receive(frameLimit: 2) {
      guard let first = event.frames.first, first.count >= 2 else { continue }
      switch Int32(first[0]) | Int32(first[1]) << 8 {
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: set(.connected)
      case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL:
        set(.handshakeFailed)
      // The server closes without a word on a wrong key: connected, then disconnected, without a handshake.
      case ZMQ_EVENT_DISCONNECTED:
        let hasFailed = isHandshaking || plan.status.state.withLock { $0 } == .handshakeFailed
        set(hasFailed ? .handshakeFailed : .connecting)
      case ZMQ_EVENT_CONNECTED: isHandshaking = true
      case ZMQ_EVENT_CONNECT_RETRIED:
        if plan.status.state.withLock({ $0 }) == .connecting { set(.unreachable) }
      default: break
      }
    }
  }

  private func set(_ state: ConnectionState) {
    isHandshaking = false
    plan.status.state.withLock { $0 = state }
  }
}
