import Foundations
import CZeroMQ
import Glibc
import WireProtocol

extension ZeroMQSocket {
  /// The options of a server's ROUTER socket.
  func setServerOptions(_ pair: KeyPair, limits: WireLimits, protection: ServerLimits) throws {
    // An unknown or vanished peer is an error that we see, instead of a silent drop.
    try set(ZMQ_ROUTER_MANDATORY, Int32(1))
    // A second connection with a living routing id is ignored, never takes over: together with heartbeats, hand-over
    // makes libzmq 4.3.4 abort. Workers use a new routing id for every connection.
    try set(ZMQ_ROUTER_HANDOVER, Int32(0))
    // Liveness is the sessions' business (see above); libzmq's own heartbeats stay off.
    try set(ZMQ_HEARTBEAT_IVL, Int32(0))
    // A longer frame ends its connection before memory is taken, before the handshake too.
    try set(ZMQ_MAXMSGSIZE, limits.largestWireFrame)
    // A connection that does not finish its handshake in time is closed.
    try set(ZMQ_HANDSHAKE_IVL, Int32(clamping: protection.handshake.milliseconds))
    // At the end the last acknowledgements get a quarter of a second to leave.
    try set(ZMQ_LINGER, Int32(250))
    // Messages in memory per peer; beyond them sends are dropped (and repeated by the session) and TCP pushes back.
    // An honest worker has a handful under way. Frames of unfinished messages are not counted here: see the ledger.
    try set(ZMQ_SNDHWM, Int32(1000))
    try set(ZMQ_RCVHWM, Int32(clamping: protection.queuedMessages))
    // A thousand workers may connect at once after a restart.
    try set(ZMQ_BACKLOG, Int32(1024))
    // Dead TCP peers free their sockets after about two minutes.
    try set(ZMQ_TCP_KEEPALIVE, Int32(1))
    try set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(60))
    try set(ZMQ_TCP_KEEPALIVE_INTVL, Int32(15))
    try set(ZMQ_TCP_KEEPALIVE_CNT, Int32(4))
    try set(ZMQ_CURVE_SERVER, Int32(1))
    try set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
    try set(ZMQ_ZAP_DOMAIN, ZAPHandler.domain)
  }
}

extension WireLimits {
  /// The largest frame as libzmq counts it: CURVE adds a command's name, a nonce, a proof and flags (33 bytes).
  var largestWireFrame: Int64 { Int64(max(frameBytes, attachmentBytes)) + 64 }
}

extension RouterService {
  /// Binds to a TCP address.
  func bind(host: String, port: UInt16) throws {
    let endpoint = Endpoint.tcp(host: host, port: port)
    try router.set(ZMQ_IPV6, Int32(host.hasPrefix("[") ? 1 : 0))
    guard zmq_bind(router.pointer, endpoint.description) == 0 else { throw Self.bindError(endpoint, zmq_errno()) }
    boundEndpoint = router.lastEndpoint
  }

  private static func bindError(_ endpoint: Endpoint, _ code: Int32) -> TransportError {
    switch code {
    case EADDRINUSE:
      TransportError(.addressInUse, "\(endpoint) is in use; choose another port, or port * for a free one")
    case EACCES, EPERM:
      TransportError(
        .permissionDenied, "no permission to listen on \(endpoint); ports below 1024 need root, choose a higher one")
    case EADDRNOTAVAIL, ENODEV:
      TransportError(
        .addressNotAvailable, "no network interface of this machine has the address of \(endpoint); use tcp://*:PORT")
    default:
      TransportError(.system, "cannot listen on \(endpoint): \(String(cString: zmq_strerror(code)))")
    }
  }
}
