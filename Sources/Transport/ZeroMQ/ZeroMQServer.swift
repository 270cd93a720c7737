import CZeroMQ
import Foundation
import Glibc
import Synchronization
import WireProtocol

/// The coordinator's ZeroMQ ROUTER socket.
public final class ZeroMQServer: ServerTransport {
  /// How connections are protected.
  public enum Security: Sendable {
    /// No keys: allowed on ipc only, where the folder's mode keeps others out.
    case none
    /// CURVE with the server's pair; admitted are the public keys in the folder.
    case curve(KeyPair, authorizedFolder: URL)
  }

  private let loop: SocketLoop<Command>
  public let events: Inbox<ServerEvent>
  public let endpoint: String

  enum Command: Sendable {
    case send(WireFrames, Peer)
    case disconnect(Peer)
  }

  /// Binds and starts the socket's thread.
  ///
  /// - Throws: ``TransportError``: TCP without keys, address in use, no permission …, each with its remedy.
  public init(bind endpoint: Endpoint, security: Security = .none, limits: WireLimits = .standard) throws {
    if case .tcp = endpoint, case .none = security {
      throw TransportError(
        .keysRequired,
        "\(endpoint): TCP needs CURVE keys, on the loopback interface too, since every user of the machine can reach "
          + "it; run: engram keys generate server, then engram keys authorize NAME KEY for every worker")
    }
    // One descriptor per worker; the usual limit of 1,024 is too low for a large cluster.
    FileLimit.raise(to: 65_536)
    let context = try ZeroMQContext()
    let loop = try SocketLoop<Command>()
    let events = Inbox<ServerEvent> { [weak loop] in loop?.wake() }
    let bound = Bound()
    try loop.start(name: "engram.router", interval: 500) {
      let service = try RouterService(context: context, security: security, limits: limits, events: events)
      try service.bind(endpoint)
      bound.endpoint.withLock { $0 = service.boundEndpoint }
      return service
    } onEnd: {
      events.finish()
    }
    self.loop = loop
    self.events = events
    self.endpoint = bound.endpoint.withLock { $0 }
  }

  deinit { loop.close() }

  public func send(_ frames: WireFrames, to peer: Peer) { loop.post(.send(frames, peer)) }
  public func disconnect(_ peer: Peer) { loop.post(.disconnect(peer)) }
  public func close() { loop.close() }
}

/// What lives on the server's thread: the ROUTER socket and the ZAP handler.
private final class RouterService: SocketService {
  private let context: ZeroMQContext
  private let router: ZeroMQSocket
  private let zap: ZAPHandler?
  private let limits: WireLimits
  private let events: Inbox<ServerEvent>
  private(set) var boundEndpoint = ""
  private var origins = ConnectionOrigins()
  private var penalties = ConnectionPenalties()
  private let clock = ContinuousClock()
  private var hasMessages = false
  private var hasRequests = false

  init(
    context: ZeroMQContext, security: ZeroMQServer.Security, limits: WireLimits, events: Inbox<ServerEvent>
  ) throws {
    self.context = context
    self.limits = limits
    self.events = events
    // The ZAP handler must listen before the first handshake: without one, libzmq admits every key.
    if case .curve(_, let folder) = security {
      zap = try ZAPHandler(context: context, allowList: AllowList(folder: folder))
    } else {
      zap = nil
    }
    router = try ZeroMQSocket(context, type: ZMQ_ROUTER)
    // An unknown or vanished peer is an error that we see, instead of a silent drop.
    try router.set(ZMQ_ROUTER_MANDATORY, Int32(1))
    // A second connection with a living routing id is ignored, never takes over: together with heartbeats, hand-over
    // makes libzmq 4.3.4 abort. Workers use a new routing id for every connection.
    try router.set(ZMQ_ROUTER_HANDOVER, Int32(0))
    // Liveness is the sessions' business (see above); libzmq's own heartbeats stay off.
    try router.set(ZMQ_HEARTBEAT_IVL, Int32(0))
    // A longer frame ends its connection before memory is taken.
    try router.set(ZMQ_MAXMSGSIZE, Int64(max(limits.frameBytes, limits.attachmentBytes)))
    // A connection that does not finish its handshake in 10 s is closed.
    try router.set(ZMQ_HANDSHAKE_IVL, Int32(10_000))
    // At the end the last acknowledgements get a quarter of a second to leave.
    try router.set(ZMQ_LINGER, Int32(250))
    // Messages in memory per peer; beyond them sends are dropped (and repeated by the session) and TCP pushes back.
    // What one peer can make us hold is bounded: 64 messages, of which an honest worker has a handful under way.
    try router.set(ZMQ_SNDHWM, Int32(1000))
    try router.set(ZMQ_RCVHWM, Int32(64))
    // A thousand workers may connect at once after a restart.
    try router.set(ZMQ_BACKLOG, Int32(1024))
    // Dead TCP peers free their sockets after about two minutes.
    try router.set(ZMQ_TCP_KEEPALIVE, Int32(1))
    try router.set(ZMQ_TCP_KEEPALIVE_IDLE, Int32(60))
    try router.set(ZMQ_TCP_KEEPALIVE_INTVL, Int32(15))
    try router.set(ZMQ_TCP_KEEPALIVE_CNT, Int32(4))
    if case .curve(let pair, _) = security {
      try router.set(ZMQ_CURVE_SERVER, Int32(1))
      try router.set(ZMQ_CURVE_SECRETKEY, bytes: CurveKey.bytes(pair.secret) ?? [])
      try router.set(ZMQ_ZAP_DOMAIN, ZAPHandler.domain)
    }
  }

  func bind(_ endpoint: Endpoint) throws {
    switch endpoint {
    case .ipc(let path): try prepareSocketFile(path)
    case .tcp(let host, _): try router.set(ZMQ_IPV6, Int32(host.hasPrefix("[") ? 1 : 0))
    }
    guard zmq_bind(router.pointer, endpoint.description) == 0 else { throw bindError(endpoint, zmq_errno()) }
    boundEndpoint = router.lastEndpoint
    if case .ipc(let path) = endpoint { chmod(path, 0o600) }
  }

  /// libzmq removes whatever file is in the way; look first whether a living process listens there.
  private func prepareSocketFile(_ path: String) throws {
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFSOCK else {
      throw TransportError(.addressInUse, "\(path) is there already and is no socket; remove it or choose another path")
    }
    if UnixSocket.hasListener(path) {
      throw TransportError(
        .addressInUse, "another process listens on \(path); a coordinator of this study is running already")
    }
    unlink(path)
  }

  private func bindError(_ endpoint: Endpoint, _ code: Int32) -> TransportError {
    switch code {
    case EADDRINUSE:
      TransportError(.addressInUse, "\(endpoint) is in use; choose another port, or port * for a free one")
    case EACCES, EPERM:
      TransportError(
        .permissionDenied, "no permission to listen on \(endpoint); ports below 1024 need root, choose a higher one")
    case EADDRNOTAVAIL, ENODEV:
      TransportError(
        .addressNotAvailable, "no network interface of this machine has the address of \(endpoint); use tcp://*:PORT")
    case ENOENT, ENOTDIR:
      TransportError(.badEndpoint, "\(endpoint): the folder of the socket does not exist")
    default:
      TransportError(.system, "cannot listen on \(endpoint): \(String(cString: zmq_strerror(code)))")
    }
  }

  func wait(wake: Int32, interval: Int) -> Bool {
    var items = [
      zmq_pollitem_t(socket: nil, fd: wake, events: Int16(ZMQ_POLLIN), revents: 0),
      // A full box holds the senders back.
      events.isFull ? zmq_pollitem_t(socket: nil, fd: -1, events: 0, revents: 0) : router.pollItem(),
    ]
    if let zap { items.append(zap.socket.pollItem()) }
    let count = zmq_poll(&items, Int32(items.count), interval)
    hasMessages = count > 0 && items[1].revents & Int16(ZMQ_POLLIN) != 0
    hasRequests = count > 0 && items.count > 2 && items[2].revents & Int16(ZMQ_POLLIN) != 0
    return count >= 0 || zmq_errno() == EINTR
  }

  func turn() {
    if hasRequests { zap?.handleRequests { [clock] in penalties.admits($0, now: clock.now) } }
    if hasMessages { takeMessages() }
    if let event = zap?.takeReport() { events.put(event, cost: 0) }
  }

  private func takeMessages() {
    // A bounded number per turn, so that commands and handshakes get their turn under a flood.
    for _ in 0..<256 {
      guard let received = router.receive(frameLimit: 3, wantsOrigin: true) else { return }
      if let zap, !zap.isStillAuthorized(received.user) { continue }
      guard received.frames.count >= 2 else { continue }
      let peer = Peer(id: received.frames[0], identity: received.user.map { PeerIdentity(key: $0) })
      if penalties.isEnded(peer, now: clock.now) {
        // The end of the connection may not have reached this message, or was not possible.
        UnixSocket.shutDown(received.descriptor)
        continue
      }
      origins.note(peer, user: received.user, descriptor: received.descriptor, now: clock.now)
      // A fourth frame makes the message malformed: hand on what the decoder refuses.
      let isTooLong = received.frames.count > 3
      let frames = WireFrames(
        json: isTooLong ? [] : received.frames[1], attachment: received.frames.count == 3 ? received.frames[2] : nil)
      let cost = frames.json.count + (frames.attachment?.count ?? 0)
      if !events.put(.message(peer, frames), cost: cost) { return }
    }
  }

  func perform(_ command: ZeroMQServer.Command) {
    switch command {
    case .send(let frames, let peer):
      let list = [peer.id, frames.json] + (frames.attachment.map { [$0] } ?? [])
      if !router.send(list) { events.put(.undeliverable(peer), cost: 0) }
    case .disconnect(let peer):
      let origin = origins.remove(peer)
      penalties.end(peer, user: origin?.user, now: clock.now)
      UnixSocket.shutDown(origin?.descriptor)
    }
  }
}

/// Carries the bound address out of the thread.
private final class Bound: Sendable { let endpoint = Mutex("") }
