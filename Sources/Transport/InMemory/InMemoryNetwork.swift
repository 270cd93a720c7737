import Synchronization
import WireProtocol

/// A server and its clients inside one process, with the contract of the ZeroMQ transports.
///
/// For tests and for `analytic` workers that live in the coordinator's own process. The filter sees every message and
/// says how many copies arrive (0 = lost, 1 = normal, 2 = doubled).
package final class InMemoryNetwork: Sendable {
  /// Which way a message goes.
  package enum Direction: Sendable { case toServer, toClient }
  /// Number of copies of a message to deliver.
  package typealias Filter = @Sendable (Direction, Peer, WireFrames) -> Int

  private struct State {
    var server: InMemoryServer?
    var clients: [Peer: InMemoryClient] = [:]
    /// Connections that the server has ended.
    var ended: Set<Peer> = []
    /// Keys that are no longer admitted.
    var revoked: Set<PeerIdentity> = []
    var filter: Filter = { _, _, _ in 1 }
  }
  private let state = Mutex(State())

  package init() {}

  /// Replaces the filter.
  package func setFilter(_ filter: @escaping Filter) { state.withLock { $0.filter = filter } }

  /// Opens the server's end; replaces an older one, as a restarted coordinator would.
  package func listen() -> InMemoryServer {
    let server = InMemoryServer(network: self)
    state.withLock { $0.server = server }
    return server
  }

  /// Opens a client's end.
  ///
  /// - Parameter key: stands for the CURVE key with which a real client would prove who it is.
  package func connect(identity: String, key: PeerIdentity? = nil) -> InMemoryClient {
    InMemoryClient(network: self, identity: identity, key: key)
  }

  /// What happens when a key is taken from the allow-list: its connections end, and the server hears of it.
  package func revoke(_ key: PeerIdentity, names: [String] = []) {
    let server = state.withLock { state -> InMemoryServer? in
      for peer in state.clients.keys where peer.identity == key {
        state.clients[peer] = nil
        state.ended.insert(peer)
      }
      state.revoked.insert(key)
      return state.server
    }
    server?.events.put(.keyRevoked(key, names: names), cost: 0)
  }

  func attach(_ client: InMemoryClient, as peer: Peer) {
    state.withLock { state in
      if let key = peer.identity, state.revoked.contains(key) {
        state.ended.insert(peer)
      } else {
        state.clients[peer] = client
      }
    }
  }
  func detach(_ peer: Peer) {
    state.withLock {
      $0.clients[peer] = nil
      $0.ended.remove(peer)
    }
  }
  func cut(_ peer: Peer) {
    state.withLock {
      $0.clients[peer] = nil
      $0.ended.insert(peer)
    }
  }
  func detach(_ server: InMemoryServer) {
    state.withLock { if $0.server === server { $0.server = nil } }
  }
  var hasServer: Bool { state.withLock { $0.server != nil } }

  func deliver(_ frames: WireFrames, from peer: Peer) -> Bool {
    let (server, filter) = state.withLock { ($0.ended.contains(peer) ? nil : $0.server, $0.filter) }
    guard let server else { return false }
    for _ in 0..<filter(.toServer, peer, frames) { server.events.put(.message(peer, frames), cost: 0) }
    return true
  }

  func deliver(_ frames: WireFrames, to peer: Peer) -> Bool {
    let (client, filter) = state.withLock { ($0.clients[peer], $0.filter) }
    guard let client else { return false }
    for _ in 0..<filter(.toClient, peer, frames) { client.events.put(.message(frames), cost: 0) }
    return true
  }
}

/// The server's end of an ``InMemoryNetwork``.
package final class InMemoryServer: ServerTransport {
  package let endpoint = "memory"
  package let events = Inbox<ServerEvent>()
  private let network: InMemoryNetwork
  init(network: InMemoryNetwork) { self.network = network }

  package func send(_ frames: WireFrames, to peer: Peer) {
    if !network.deliver(frames, to: peer) { events.put(.undeliverable(peer), cost: 0) }
  }

  package func disconnect(_ peer: Peer) { network.cut(peer) }

  package func close() {
    network.detach(self)
    events.finish()
  }
}

/// A client's end of an ``InMemoryNetwork``.
package final class InMemoryClient: ClientTransport {
  package let events = Inbox<ClientEvent>()
  private let network: InMemoryNetwork
  private let identity: String
  private let key: PeerIdentity?
  private let connection = Mutex(0)

  init(network: InMemoryNetwork, identity: String, key: PeerIdentity?) {
    self.network = network
    self.identity = identity
    self.key = key
    reconnect()
  }

  private var peer: Peer { Peer(id: Array("\(identity).\(connection.withLock { $0 })".utf8), identity: key) }

  package var connectionState: ConnectionState { network.hasServer ? .connected : .unreachable }

  package func send(_ frames: WireFrames) {
    if !network.deliver(frames, from: peer) { events.put(.undeliverable, cost: 0) }
  }

  package func reconnect() {
    network.detach(peer)
    connection.withLock { $0 += 1 }
    network.attach(self, as: peer)
  }

  package func close() {
    network.detach(peer)
    events.finish()
  }
}
