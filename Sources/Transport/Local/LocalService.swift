import CZeroMQ
import Foundation
import Glibc
import WireProtocol

/// What lives on the thread of a server that listens on a socket file: the part of a ROUTER socket that we need.
///
/// libzmq cannot bound what a connection holds on such a socket: it counts whole messages, and the operating system
/// counts no bytes there. Clients are ordinary DEALER sockets of libzmq. Connections that send too fast are not read for
/// a while, so that the operating system holds them back.
final class LocalService: SocketService {
  /// Messages that a too fast connection may have waiting before it is not read any more.
  private static let pauseAt = 64
  /// Milliseconds at the end for the last acknowledgements.
  private static let linger = 250

  let limits: WireLimits
  let protection: ServerLimits
  let events: Inbox<ServerEvent>
  private(set) var boundEndpoint = ""
  private var listener: LocalListener?
  private let poll: Int32
  private var isWakeWatched = false
  private var connections: [Int32: LocalConnection] = [:]
  private var ledger: ConnectionLedger
  private var gate: MessageGate
  private var penalties = ConnectionPenalties()
  private var board = NoticeBoard()
  private let clock = ContinuousClock()
  private var now: ContinuousClock.Instant
  private var anonymous: UInt32 = 0
  /// Until when no connections are taken, because there was no descriptor for one.
  private var deaf: ContinuousClock.Instant?
  private var arrived = [epoll_event](repeating: epoll_event(), count: 256)
  private var ready: [epoll_event] = []
  private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 16)

  init(limits: WireLimits, protection: ServerLimits, events: Inbox<ServerEvent>) throws {
    var protection = protection
    // Before its READY a connection holds no more than a command: it is no matter of memory here, and the workers of
    // this machine may all come at once.
    protection.unheard = max(protection.unheard, 4096)
    protection.unheardPerAddress = max(protection.unheardPerAddress, protection.unheard)
    self.limits = limits
    self.protection = protection
    self.events = events
    now = clock.now
    ledger = ConnectionLedger(limits: protection, maximumConnections: try FileLimit.connections(protection))
    gate = MessageGate(limits: protection)
    poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poll >= 0 else {
      throw TransportError(.system, "cannot make an epoll: \(String(cString: strerror(errno))); see ulimit -n")
    }
  }

  deinit {
    listener = nil
    let limit = ContinuousClock.now + .milliseconds(Self.linger)
    while connections.values.contains(where: \.hasOutput), ContinuousClock.now < limit {
      for (descriptor, connection) in connections where connection.hasOutput && !connection.flush() {
        connections[descriptor] = nil
      }
      var unsent = connections.filter(\.value.hasOutput).map {
        pollfd(fd: $0.key, events: Int16(POLLOUT), revents: 0)
      }
      _ = Glibc.poll(&unsent, nfds_t(unsent.count), 10)
    }
    connections = [:]
    Glibc.close(poll)
    buffer.deallocate()
  }

  func bind(path: String) throws {
    let listener = try LocalListener(path: path)
    try watch(listener.descriptor, .add, EPOLLIN.rawValue)
    self.listener = listener
    boundEndpoint = Endpoint.ipc(path: path).description
  }

  // MARK: - The loop

  private enum Change {
    case add
    case modify
  }

  private func watch(_ descriptor: Int32, _ change: Change, _ wanted: UInt32) throws {
    var event = epoll_event(events: wanted, data: epoll_data(u64: UInt64(UInt32(bitPattern: descriptor))))
    let operation = change == .add ? EPOLL_CTL_ADD : EPOLL_CTL_MOD
    guard epoll_ctl(poll, operation, descriptor, &event) == 0 else {
      throw TransportError(.system, "cannot watch a socket: \(String(cString: strerror(errno))); see ulimit -n")
    }
  }

  private func watch(_ connection: LocalConnection) {
    let wanted = (connection.isPaused ? 0 : EPOLLIN.rawValue) | (connection.hasOutput ? EPOLLOUT.rawValue : 0)
    // A connection that cannot be watched would be one that nobody hears.
    do { try watch(connection.descriptor, .modify, wanted) } catch { close(connection.descriptor) }
  }

  func wait(wake: Int32, interval: Int) -> Bool {
    ready = []
    if !isWakeWatched {
      guard (try? watch(wake, .add, EPOLLIN.rawValue)) != nil else { return false }
      isWakeWatched = true
    }
    guard !events.isFull else {
      // A full box holds the senders back; only commands are taken.
      var item = pollfd(fd: wake, events: Int16(POLLIN), revents: 0)
      return Glibc.poll(&item, 1, 20) >= 0 || errno == EINTR
    }
    let patience = gate.hasWaiting ? 20 : ledger.unheardCount > 0 || deaf != nil ? 100 : interval
    let count = epoll_wait(poll, &arrived, Int32(arrived.count), Int32(patience))
    guard count >= 0 else { return errno == EINTR }
    ready = arrived[..<Int(count)].filter { $0.data.u64 != UInt64(UInt32(bitPattern: wake)) }
    return true
  }

  func turn() {
    now = clock.now
    release()
    if let end = deaf, end <= now {
      deaf = nil
      listen(true)
    }
    for event in ready {
      let descriptor = Int32(bitPattern: UInt32(truncatingIfNeeded: event.data.u64))
      if descriptor == listener?.descriptor {
        accept()
      } else if let connection = connections[descriptor] {
        serve(connection, event.events)
      }
    }
    for ending in ledger.expired(before: now - protection.handshake) { end(ending) }
    for notice in board.due(now: now) { events.put(.notice(notice), cost: 0) }
  }

  func perform(_ command: ZeroMQServer.Command) {
    switch command {
    case .send(let frames, let peer):
      let connection = ledger.descriptor(of: peer).flatMap { connections[$0] }
      guard let connection, send(ZMTPOutput.message(frames), connection) else {
        events.put(.undeliverable(peer), cost: 0)
        return
      }
    case .disconnect(let peer):
      penalties.end(peer, now: clock.now)
      if let descriptor = ledger.descriptor(of: peer) { close(descriptor) }
    }
  }

  // MARK: - Connections

  private func accept() {
    // A bounded number per turn, so that the workers that are here get theirs.
    for _ in 0..<64 {
      switch listener?.accept() {
      case .connection(let descriptor)?:
        let connection = LocalConnection(descriptor, largestFrame: max(limits.frameBytes, limits.attachmentBytes))
        guard (try? watch(descriptor, .add, EPOLLIN.rawValue)) != nil else { continue }
        connections[descriptor] = connection
        if let ending = ledger.accept(descriptor, remote: "ipc", address: "this machine", now: now) { end(ending) }
        if connections[descriptor] != nil, !send(ZMTPOutput.greeting, connection) { close(descriptor) }
      case .failure(let code)?:
        board.add(.acceptFailed(String(cString: strerror(code)), count: 1))
        deaf = now + .milliseconds(200)
        listen(false)
        return
      case .nothing?, nil: return
      }
    }
  }

  /// Whether newcomers are looked for: a listener without a free descriptor would end every wait at once.
  private func listen(_ isOpen: Bool) {
    guard let listener else { return }
    do {
      try watch(listener.descriptor, .modify, isOpen ? EPOLLIN.rawValue : 0)
    } catch {
      board.add(.acceptFailed("\(error)", count: 1))
    }
  }

  private func serve(_ connection: LocalConnection, _ what: UInt32) {
    if what & EPOLLOUT.rawValue != 0 {
      guard connection.flush() else { return close(connection.descriptor) }
      watch(connection)
    }
    guard what & (EPOLLIN.rawValue | EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0 else { return }
    // A paused connection that was ended on the other side as well.
    if connection.isPaused { return close(connection.descriptor) }
    do throws(ZMTPInput.Violation) {
      switch try connection.read(buffer) {
      case .nothing: break
      case .ended: close(connection.descriptor)
      case .bytes(let outputs): for output in outputs { handle(output, connection) }
      }
    } catch {
      endForCause(connection, error.why)
    }
  }

  private func handle(_ output: ZMTPInput.Output, _ connection: LocalConnection) {
    // Ended by what stood before it.
    guard connections[connection.descriptor] === connection else { return }
    switch output {
    case .greeted: if !send(ZMTPOutput.ready, connection) { close(connection.descriptor) }
    case .ping(let context): if !send(ZMTPOutput.pong(context), connection) { close(connection.descriptor) }
    case .ready(let id): introduce(id, connection)
    case .message(let frames): take(frames, connection)
    }
  }

  private func introduce(_ id: [UInt8], _ connection: LocalConnection) {
    var id = id
    if id.isEmpty {
      anonymous &+= 1
      id = [0] + (0..<4).map { UInt8(truncatingIfNeeded: anonymous >> (24 - 8 * $0)) }
    }
    let peer = Peer(id: id)
    // A second connection with a living routing id never takes over; an early one of an ended worker has to wait.
    guard ledger.descriptor(of: peer) == nil, !penalties.mustPause(peer, now: now), !penalties.isEnded(peer, now: now)
    else { return close(connection.descriptor) }
    connection.peer = peer
    _ = ledger.hear(connection.descriptor, peer, wireBytes: 0)
    gate.open(connection.descriptor, isOnProbation: false, now: now)
  }

  private func take(_ frames: WireFrames, _ connection: LocalConnection) {
    guard let peer = connection.peer else { return }
    switch gate.admit(connection.descriptor, peer, frames, now: now) {
    case .pass: events.put(.message(peer, frames), cost: frames.byteCount)
    case .wait:
      guard !connection.isPaused, gate.waiting(connection.descriptor) >= Self.pauseAt else { return }
      connection.isPaused = true
      watch(connection)
    case .overflow:
      endForCause(connection, "it sends faster than it is heard")
    }
  }

  /// Hands on what has waited long enough, and hears those again of whom nothing waits.
  private func release() {
    guard gate.hasWaiting, !events.isFull else { return }
    for (peer, frames) in gate.due(now: now) { events.put(.message(peer, frames), cost: frames.byteCount) }
    for connection in connections.values where connection.isPaused {
      guard gate.waiting(connection.descriptor) == 0 else { continue }
      connection.isPaused = false
      watch(connection)
    }
  }

  private func send(_ bytes: [UInt8], _ connection: LocalConnection) -> Bool {
    let hadOutput = connection.hasOutput
    guard connection.send(bytes) else { return false }
    if connection.hasOutput != hadOutput { watch(connection) }
    return true
  }

  private func endForCause(_ connection: LocalConnection, _ why: String) {
    let peer = connection.peer ?? Peer(id: Array("of a stranger".utf8))
    if let known = connection.peer { penalties.end(known, now: now) }
    close(connection.descriptor)
    board.add(.connectionEnded(peer, why: why, count: 1))
  }

  private func end(_ ending: ConnectionLedger.Ending) {
    close(ending.descriptor)
    board.add(.unheardEnded(count: 1, address: ending.address, limit: ending.why.text))
  }

  /// The descriptor leaves the epoll with its connection.
  private func close(_ descriptor: Int32) {
    ledger.remove(descriptor)
    gate.close(descriptor)
    connections[descriptor] = nil
  }
}
