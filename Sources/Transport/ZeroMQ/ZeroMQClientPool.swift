import CZeroMQ
import Foundation
import Glibc
import Synchronization
import WireProtocol

/// Connections of many workers in one process: one ZeroMQ context, one thread.
///
/// A ``ZeroMQClient`` of its own has a pool for itself; a thousand of them would need four thousand threads.
package final class ZeroMQClientPool: Sendable {
  let loop: SocketLoop<DealerPool.Command>
  private let numbers = Atomic<Int>(0)

  /// - Parameter connections: how many clients it may hold; each takes about five descriptors.
  /// - Throws: ``TransportError``.
  package init(connections: Int = 1000) throws {
    if connections > 1 { FileLimit.raise(to: 5 * connections + 256) }
    // The socket, its monitor and the monitor's other end; twice, while an old connection lingers.
    let context = Handover(try ZeroMQContext(sockets: Int32(clamping: 6 * connections + 16)))
    let loop = try SocketLoop<DealerPool.Command>()
    try loop.start(name: "engram.dealer", interval: 1000) {
      try DealerPool(context: context.take())
    } onEnd: {
    }
    self.loop = loop
  }

  deinit { loop.close() }

  /// Connects in the background: an absent server is no error.
  ///
  /// - Parameter identity: unique per client; the routing ids of its connections are made from it.
  /// - Throws: ``TransportError`` for a bad address or TCP without keys.
  package func connect(
    to endpoint: Endpoint, identity: String, security: ZeroMQClient.Security = .none, limits: WireLimits = .standard
  ) throws -> ZeroMQClient {
    try ZeroMQClient(
      pool: self, ownsPool: false, connect: endpoint, identity: identity, security: security, limits: limits)
  }

  /// Closes all clients; returns at once.
  package func close() { loop.close() }

  func nextNumber() -> Int { numbers.add(1, ordering: .relaxed).newValue }

  func open(_ plan: DealerPlan) throws {
    let opening = DealerPool.Opening()
    guard loop.post(.open(plan, opening)) else {
      throw TransportError(.system, "\(plan.endpoint): the pool of connections is closed")
    }
    opening.done.wait()
    if let error = opening.error.withLock({ $0 }) { throw error }
  }
}

/// What lives on a pool's thread.
///
/// The wait is an epoll over the sockets' own descriptors: `zmq_poll` would look at every socket at every turn.
final class DealerPool: SocketService {
  enum Command: Sendable {
    case open(DealerPlan, Opening)
    case send(Int, WireFrames)
    case reconnect(Int)
    /// The reader has made room.
    case room(Int)
    case close(Int)
  }

  /// The answer to `open`.
  final class Opening: Sendable {
    let done = DispatchSemaphore(value: 0)
    let error = Mutex<(any Error)?>(nil)
  }

  private let context: ZeroMQContext
  private let poll: Int32
  private var isWakeWatched = false
  private var connections: [Int: DealerConnection] = [:]
  /// Connections to look at in this turn.
  ///
  /// A send or receive may swallow the signal of what arrived meanwhile, so every connection that was touched is looked
  /// at.
  private var touched: Set<Int> = []
  private var arrived = [epoll_event](repeating: epoll_event(), count: 256)

  init(context: ZeroMQContext) throws {
    self.context = context
    poll = epoll_create1(Int32(EPOLL_CLOEXEC))
    guard poll >= 0 else {
      throw TransportError(.system, "cannot make an epoll: \(String(cString: strerror(errno))); see ulimit -n")
    }
  }

  deinit {
    connections = [:]
    Glibc.close(poll)
  }

  private func watch(_ descriptor: Int32, _ number: Int) throws {
    var event = epoll_event(events: EPOLLIN.rawValue, data: epoll_data(u64: UInt64(number)))
    guard epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &event) == 0 else {
      throw TransportError(.system, "cannot watch a socket: \(String(cString: strerror(errno))); see ulimit -n")
    }
  }

  /// The eventfd has number 0; clients are numbered from 1.
  func wait(wake: Int32, interval: Int) -> Bool {
    if !isWakeWatched {
      guard (try? watch(wake, 0)) != nil else { return false }
      isWakeWatched = true
    }
    let count = epoll_wait(poll, &arrived, Int32(arrived.count), touched.isEmpty ? Int32(interval) : 0)
    guard count >= 0 else { return errno == EINTR }
    for index in 0..<Int(count) where arrived[index].data.u64 != 0 { touched.insert(Int(arrived[index].data.u64)) }
    return true
  }

  func perform(_ command: Command) {
    switch command {
    case .open(let plan, let opening):
      do {
        connections[plan.number] = try open(plan)
        touched.insert(plan.number)
      } catch {
        opening.error.withLock { $0 = error }
      }
      opening.done.signal()
    case .send(let number, let frames):
      connections[number]?.send(frames)
      touched.insert(number)
    case .reconnect(let number):
      connections[number]?.reconnect()
      touched.insert(number)
    case .room(let number):
      connections[number]?.release()
      touched.insert(number)
    case .close(let number):
      connections[number] = nil
    }
  }

  private func open(_ plan: DealerPlan) throws -> DealerConnection {
    try DealerConnection(
      plan, context: context,
      watch: DealerConnection.Watch(
        add: { [unowned self] in try watch($0, plan.number) },
        remove: { [poll] in _ = epoll_ctl(poll, EPOLL_CTL_DEL, $0, nil) }))
  }

  func turn() {
    guard !touched.isEmpty else { return }
    let numbers = touched
    touched = []
    for number in numbers where connections[number]?.receive() == true { touched.insert(number) }
  }
}
