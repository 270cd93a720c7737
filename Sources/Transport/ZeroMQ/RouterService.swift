import CZeroMQ
import Foundation
import Glibc
import WireProtocol

/// What lives on the thread of a TCP server: the ROUTER socket, its monitor and the ZAP handler.
final class RouterService: SocketService {
  /// Messages, and their bytes, that are taken per turn, so that commands and handshakes get their turn under a flood.
  private static let messagesPerTurn = 256
  private static let bytesPerTurn = 1 << 20

  /// Stands for all connections that are gone; no descriptor.
  private static let goneConnections: Int32 = -1
  /// After so many new connections, and a quarter of all, their bytes are looked at without waiting for the next round.
  private static let acceptsPerStock = 32

  private let context: ZeroMQContext
  let router: ZeroMQSocket
  private let zap: ZAPHandler
  private let monitor: ConnectionMonitor
  private let events: Inbox<ServerEvent>
  var boundEndpoint = ""
  private var ledger: ConnectionLedger
  private var gate: MessageGate
  private var penalties = ConnectionPenalties()
  private var board = NoticeBoard()
  private let codec: MessageCodec
  private let clock = ContinuousClock()
  private var now: ContinuousClock.Instant
  private var lastStock: ContinuousClock.Instant?
  private var acceptsSinceStock = 0
  private var hasMessages = false
  private var hasRequests = false

  init(
    context: ZeroMQContext, pair: KeyPair, authorizedFolder: URL, limits: WireLimits, protection: ServerLimits,
    events: Inbox<ServerEvent>
  ) throws {
    self.context = context
    self.events = events
    codec = MessageCodec(limits: limits)
    now = clock.now
    // The ZAP handler must listen before the first handshake: without one, libzmq admits every key.
    zap = try ZAPHandler(context: context, keys: AdmittedKeys(folder: authorizedFolder))
    router = try ZeroMQSocket(context, type: ZMQ_ROUTER)
    try router.setServerOptions(pair, limits: limits, protection: protection)
    monitor = try ConnectionMonitor(router, context: context)
    ledger = ConnectionLedger(limits: protection, maximumConnections: try FileLimit.connections(protection))
    gate = MessageGate(limits: protection)
  }

  // MARK: - The loop

  func wait(wake: Int32, interval: Int) -> Bool {
    var items = [
      zmq_pollitem_t(socket: nil, fd: wake, events: Int16(ZMQ_POLLIN), revents: 0),
      // A full box holds the senders back.
      events.isFull ? zmq_pollitem_t(socket: nil, fd: -1, events: 0, revents: 0) : router.pollItem(),
      monitor.pollItem(), zap.socket.pollItem(),
    ]
    let count = zmq_poll(&items, Int32(items.count), min(interval, patience))
    hasMessages = count > 0 && items[1].revents & Int16(ZMQ_POLLIN) != 0
    hasRequests = count > 0 && items[3].revents & Int16(ZMQ_POLLIN) != 0
    return count >= 0 || zmq_errno() == EINTR
  }

  /// Milliseconds until something has to be looked at that no socket announces.
  private var patience: Int {
    if gate.hasWaiting { return 20 }
    if ledger.isWatchful { return 20 }
    return 100
  }

  func turn() {
    now = clock.now
    followConnections()
    if hasRequests { zap.handleRequests() }
    followKeys()
    if !events.isFull { for (peer, frames) in gate.due(now: now) { _ = pass(peer, frames) } }
    if hasMessages { takeMessages() }
    takeStock()
    if let event = zap.takeReport() { events.put(event, cost: 0) }
    for notice in board.due(now: now) { events.put(.notice(notice), cost: 0) }
  }

  func perform(_ command: ZeroMQServer.Command) {
    switch command {
    case .send(let frames, let peer):
      let list = [peer.id, frames.json] + (frames.attachment.map { [$0] } ?? [])
      if !router.send(list) { events.put(.undeliverable(peer), cost: 0) }
    case .disconnect(let peer):
      penalties.end(peer, now: clock.now)
      if let descriptor = ledger.descriptor(of: peer) { shutDown(descriptor) }
    }
  }

  // MARK: - Connections

  private func followConnections() {
    while let event = monitor.take() {
      switch event {
      case .accepted(let descriptor):
        // Gone again already: its end is reported next.
        guard let remote = UnixSocket.remote(descriptor) else { continue }
        gate.close(descriptor)
        let ending = ledger.accept(descriptor, remote: remote.full, address: remote.address, now: now)
        if let ending { end(ending) }
        acceptsSinceStock += 1
        if acceptsSinceStock >= max(Self.acceptsPerStock, ledger.count / 4) { takeStock(isDue: true) }
      case .ended(let descriptor):
        ledger.remove(descriptor)
        gate.close(descriptor)
      case .acceptFailed(let code):
        board.add(.acceptFailed(String(cString: zmq_strerror(code)), count: 1))
      }
    }
  }

  /// Ends a connection that the ledger has struck off.
  private func end(_ ending: ConnectionLedger.Ending) {
    gate.close(ending.descriptor)
    UnixSocket.shutDown(ending.descriptor, remote: ending.remote)
    guard let peer = ending.peer else {
      board.add(.unheardEnded(count: 1, address: ending.address, limit: ending.why.text))
      return
    }
    // The largest of many may be an honest one: it comes back at once.
    if case .connectionBytes = ending.why { penalties.end(peer, now: now) }
    board.add(.connectionEnded(peer, why: ending.why.text, count: 1))
  }

  private func shutDown(_ descriptor: Int32) {
    gate.close(descriptor)
    guard let connection = ledger[descriptor] else { return }
    ledger.remove(descriptor)
    UnixSocket.shutDown(descriptor, remote: connection.remote)
  }

  /// Ends the connections of keys that are no longer admitted.
  private func followKeys() {
    for change in zap.takeChanges() {
      switch change {
      case .notice(let notice): board.add(notice)
      case .revoked(let key, let names):
        let identity = PeerIdentity(key: key.text)
        for descriptor in ledger.descriptors(of: identity) { shutDown(descriptor) }
        events.put(.keyRevoked(identity, names: names), cost: 0)
      }
    }
  }

  private func takeStock(isDue: Bool = false) {
    let pause = Duration.milliseconds(ledger.isWatchful ? 20 : 100)
    guard ledger.count > 0, isDue || lastStock.map({ now - $0 >= pause }) ?? true else { return }
    lastStock = now
    acceptsSinceStock = 0
    let endings = ledger.takeStock { descriptor, connection in
      guard let received = UnixSocket.receivedBytes(descriptor) else { return nil }
      // What the operating system holds is bounded by it; asked for only where it matters.
      let isSmall = received - connection.delivered <= 64 * 1024
      return isSmall ? received : received - UnixSocket.unreadBytes(descriptor)
    }
    for ending in endings { end(ending) }
  }

  // MARK: - Messages

  private func takeMessages() {
    var batch: [ZeroMQSocket.Received] = []
    var bytes = 0
    while batch.count < Self.messagesPerTurn, bytes < Self.bytesPerTurn,
      let received = router.receive(frameLimit: 3, wantsOrigin: true)
    {
      bytes += received.wireBytes
      batch.append(received)
    }
    // A connection is in the monitor before its first message is here.
    followConnections()
    for received in batch { take(received) }
  }

  private func take(_ received: ZeroMQSocket.Received) {
    guard received.frames.count >= 2, let descriptor = received.descriptor else { return }
    let peer = Peer(id: received.frames[0], identity: received.user.map { PeerIdentity(key: $0) })
    let hearing = ledger.hear(descriptor, peer, wireBytes: received.wireBytes)
    guard zap.isStillAuthorized(received.user), !penalties.isEnded(peer, now: now) else {
      // What is late came over a connection that is gone: its descriptor may be another's by now.
      if hearing != .late { shutDown(descriptor) }
      return
    }
    // A fourth frame makes the message malformed: hand on what the decoder refuses.
    let frames = WireFrames(
      json: received.frames.count > 3 ? [] : received.frames[1],
      attachment: received.frames.count == 3 ? received.frames[2] : nil)
    switch hearing {
    case .late: takeLate(peer, frames)
    case .first:
      guard welcome(peer, frames, descriptor) else { return }
      admit(peer, frames, descriptor)
    case .further: admit(peer, frames, descriptor)
    }
  }

  /// What a connection said that is gone by now: a goodbye, as a rule.
  ///
  /// All such messages share one bucket, so that connecting, speaking and hanging up is no way around the others.
  private func takeLate(_ peer: Peer, _ frames: WireFrames) {
    guard !penalties.mustPause(peer, now: now), !penalties.isOnProbation(peer.identity, now: now) else { return }
    switch gate.admit(Self.goneConnections, peer, frames, now: now) {
    case .pass: _ = pass(peer, frames)
    case .wait: break
    case .overflow: board.add(.connectionEnded(peer, why: "it spoke and hung up, like too many others", count: 1))
    }
  }

  /// Whether a connection may speak at all; decided at its first message.
  private func welcome(_ peer: Peer, _ frames: WireFrames, _ descriptor: Int32) -> Bool {
    guard !penalties.mustPause(peer, now: now) else {
      shutDown(descriptor)
      return false
    }
    let isOnProbation = penalties.isOnProbation(peer.identity, now: now)
    gate.open(descriptor, isOnProbation: isOnProbation, now: now)
    guard isOnProbation else { return true }
    if case .hello? = try? codec.decode(frames, from: .worker).message { return true }
    endForCause(peer, descriptor, "it began with something else than a hello, after another one of its key did worse")
    return false
  }

  private func admit(_ peer: Peer, _ frames: WireFrames, _ descriptor: Int32) {
    switch gate.admit(descriptor, peer, frames, now: now) {
    case .pass: _ = pass(peer, frames)
    case .wait: break
    case .overflow:
      endForCause(
        peer, descriptor,
        "it sends faster than it is heard (\(Int(gate.limits.messagesPerSecond)) messages a second for long)")
    }
  }

  private func endForCause(_ peer: Peer, _ descriptor: Int32, _ why: String) {
    penalties.end(peer, now: now)
    shutDown(descriptor)
    board.add(.connectionEnded(peer, why: why, count: 1))
  }

  private func pass(_ peer: Peer, _ frames: WireFrames) -> Bool {
    events.put(.message(peer, frames), cost: frames.byteCount)
  }
}
