import Synchronization
import WireProtocol

/// A worker's ZeroMQ DEALER socket.
package final class ZeroMQClient: ClientTransport {
  /// How the connection is protected.
  package enum Security: Sendable {
    /// No keys: ipc only.
    case none
    /// CURVE with the worker's own pair and the coordinator's public key.
    case curve(KeyPair, server: PublicKey)
  }

  package let events: Inbox<ClientEvent>
  private let pool: ZeroMQClientPool
  private let ownsPool: Bool
  private let number: Int
  private let status: ConnectionStatus

  /// Connects in the background, with a thread of its own: an absent server is no error.
  ///
  /// - Parameter identity: unique per process; the routing ids of its connections are made from it.
  /// - Throws: ``TransportError`` for a bad address or TCP without keys.
  package convenience init(
    connect endpoint: Endpoint, identity: String, security: Security = .none, limits: WireLimits = .standard
  ) throws {
    try self.init(
      pool: ZeroMQClientPool(connections: 1), ownsPool: true, connect: endpoint, identity: identity,
      security: security, limits: limits)
  }

  init(
    pool: ZeroMQClientPool, ownsPool: Bool, connect endpoint: Endpoint, identity: String, security: Security,
    limits: WireLimits
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
    self.pool = pool
    self.ownsPool = ownsPool
    let number = pool.nextNumber()
    self.number = number
    let status = ConnectionStatus()
    self.status = status
    let events = Inbox<ClientEvent> { [weak loop = pool.loop] in _ = loop?.post(.room(number)) }
    self.events = events
    let plan = DealerPlan(
      number: number, endpoint: endpoint, identity: identity, security: security, limits: limits, events: events,
      status: status)
    try pool.open(plan)
  }

  deinit { close() }

  package var connectionState: ConnectionState { status.state.withLock { $0 } }
  package func send(_ frames: WireFrames) { pool.loop.post(.send(number, frames)) }
  package func reconnect() { pool.loop.post(.reconnect(number)) }

  package func close() {
    pool.loop.post(.close(number))
    if ownsPool { pool.close() }
  }
}

/// The state that the thread writes and everyone may read.
final class ConnectionStatus: Sendable {
  let state = Mutex(ConnectionState.connecting)
}

/// What a connection is to be.
struct DealerPlan: Sendable {
  var number: Int
  var endpoint: Endpoint
  var identity: String
  var security: ZeroMQClient.Security
  var limits: WireLimits
  var events: Inbox<ClientEvent>
  var status: ConnectionStatus
}
