import CZeroMQ
import Foundation
import Glibc
import Synchronization
import WireProtocol

/// A worker's ZeroMQ DEALER socket.
public final class ZeroMQClient: ClientTransport {
  /// How the connection is protected.
  public enum Security: Sendable {
    /// No keys: ipc only.
    case none
    /// CURVE with the worker's own pair and the coordinator's public key.
    case curve(KeyPair, server: PublicKey)
  }

  private let loop: SocketLoop<Command>
  private let status: ConnectionStatus
  public let events: Inbox<ClientEvent>

  enum Command: Sendable {
    case send(WireFrames)
    case reconnect
  }

  /// Connects in the background: an absent server is no error.
  ///
  /// - Parameter identity: unique per process; the routing ids of its connections are made from it.
  /// - Throws: ``TransportError`` for a bad address or TCP without keys.
  public init(
    connect endpoint: Endpoint, identity: String, security: Security = .none, limits: WireLimits = .standard
  ) throws {
    if case .tcp(let host, let port) = endpoint {
      guard host != "*", port != 0 else {
        throw TransportError(.badEndpoint, "\(endpoint): a worker needs the coordinator's host and port")
      }
      guard case .curve = security else {
        throw TransportError(
          .keysRequired,
          "\(endpoint): TCP needs CURVE keys; run: engram keys generate NAME, authorise NAME.public on the "
            + "coordinator's side and copy its server.public here")
      }
    }
    let context = Handover(try ZeroMQContext())
    let loop = try SocketLoop<Command>()
    let status = ConnectionStatus()
    let events = Inbox<ClientEvent> { [weak loop] in loop?.wake() }
    try loop.start(name: "engram.dealer", interval: 1000) {
      try DealerService(
        context: context.take(), endpoint: endpoint, identity: identity, security: security, limits: limits,
        events: events,
        status: status)
    } onEnd: {
      events.finish()
    }
    self.loop = loop
    self.events = events
    self.status = status
  }

  deinit { loop.close() }

  public var connectionState: ConnectionState { status.state.withLock { $0 } }
  public func send(_ frames: WireFrames) { loop.post(.send(frames)) }
  public func reconnect() { loop.post(.reconnect) }
  public func close() { loop.close() }
}

/// The state that the thread writes and everyone may read.
private final class ConnectionStatus: Sendable {
  let state = Mutex(ConnectionState.connecting)
}

/// What lives on the client's thread: the DEALER socket and its monitor.
private final class DealerService: SocketService {
  private let context: ZeroMQContext
  private let endpoint: Endpoint
  private let identity: String
  private let security: ZeroMQClient.Security
  private let limits: WireLimits
  private let events: Inbox<ClientEvent>
  private let status: ConnectionStatus
  private var dealer: ZeroMQSocket?
  private var monitor: ZeroMQSocket?
  private var connections = 0

  init(
    context: ZeroMQContext, endpoint: Endpoint, identity: String, security: ZeroMQClient.Security, limits: WireLimits,
    events: Inbox<ClientEvent>, status: ConnectionStatus
  ) throws {
    self.context = context
    self.endpoint = endpoint
    self.identity = identity
    self.security = security
    self.limits = limits
    self.events = events
    self.status = status
    try connect()
  }

  private func connect() throws {
    connections += 1
    let dealer = try ZeroMQSocket(context, type: ZMQ_DEALER)
    // New for every connection: the server ignores a second connection under a routing id it still holds.
    try dealer.set(ZMQ_ROUTING_ID, "\(identity).\(connections)")
    // Messages go only into finished connections: what cannot be sent is dropped here and now and repeated by the
    // session, instead of arriving late after a restart of the coordinator.
    try dealer.set(ZMQ_IMMEDIATE, Int32(1))
    // Liveness is the sessions' business.
    try dealer.set(ZMQ_HEARTBEAT_IVL, Int32(0))
    try dealer.set(ZMQ_MAXMSGSIZE, Int64(max(limits.frameBytes, limits.attachmentBytes)))
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
    if case .tcp(let host, _) = endpoint { try dealer.set(ZMQ_IPV6, Int32(host.hasPrefix("[") ? 1 : 0)) }
    if case .curve(let pair, let server) = security {
      try dealer.set(ZMQ_CURVE_SERVERKEY, bytes: CurveKey.bytes(server.text) ?? [])
      try dealer.set(ZMQ_CURVE_PUBLICKEY, bytes: CurveKey.bytes(pair.publicKey.text) ?? [])
      try dealer.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    }
    let address = "inproc://engram.monitor.\(connections)"
    let watched =
      ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
      | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED
      | ZMQ_EVENT_CONNECTED
    if zmq_socket_monitor(dealer.pointer, address, watched) == 0 {
      let monitor = try ZeroMQSocket(context, type: ZMQ_PAIR)
      try monitor.set(ZMQ_LINGER, Int32(0))
      if zmq_connect(monitor.pointer, address) == 0 { self.monitor = monitor }
    }
    guard zmq_connect(dealer.pointer, endpoint.description) == 0 else {
      throw TransportError(
        .badEndpoint, "cannot connect to \(endpoint): \(ZeroMQLibrary.lastError()); check host and port")
    }
    self.dealer = dealer
  }

  var sockets: [ZeroMQSocket?] { [events.isFull ? nil : dealer, monitor] }

  func readable(_ index: Int) {
    if index == 1 {
      readMonitor()
      return
    }
    for _ in 0..<256 {
      guard let received = dealer?.receive(frameLimit: 2) else { return }
      let frames = WireFrames(
        json: received.frames.count > 2 ? [] : received.frames[0],
        attachment: received.frames.count == 2 ? received.frames[1] : nil)
      let cost = frames.json.count + (frames.attachment?.count ?? 0)
      if !events.put(.message(frames), cost: cost) { return }
    }
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
        let hasFailed = isHandshaking || status.state.withLock { $0 } == .handshakeFailed
        set(hasFailed ? .handshakeFailed : .connecting)
      case ZMQ_EVENT_CONNECTED: isHandshaking = true
      case ZMQ_EVENT_CONNECT_RETRIED:
        if status.state.withLock({ $0 }) == .connecting { set(.unreachable) }
      default: break
      }
    }
  }

  private var isHandshaking = false

  private func set(_ state: ConnectionState) {
    isHandshaking = false
    status.state.withLock { $0 = state }
  }

  func perform(_ command: ZeroMQClient.Command) {
    switch command {
    case .send(let frames):
      let list = [frames.json] + (frames.attachment.map { [$0] } ?? [])
      if dealer?.send(list) != true { events.put(.undeliverable, cost: 0) }
    case .reconnect:
      monitor = nil
      try? dealer?.set(ZMQ_LINGER, Int32(0))
      dealer = nil
      status.state.withLock { $0 = .connecting }
      // The same address worked before; should it fail now, the next `reconnect` tries again.
      try? connect()
    }
  }

  func turn() {}
}
