import CZeroMQ
import Foundation
import Glibc
import Synchronization
import WireProtocol

/// The coordinator's end for workers with ZeroMQ DEALER sockets: a ROUTER socket of libzmq on TCP, our own on a socket
/// file.
package final class ZeroMQServer: ServerTransport {
  /// How connections are protected.
  package enum Security: Sendable {
    /// No keys: allowed on ipc only, where the folder's mode keeps others out.
    case none
    /// CURVE with the server's pair; admitted are the public keys in the folder.
    case curve(KeyPair, authorizedFolder: URL)
  }

  private let loop: SocketLoop<Command>
  package let events: Inbox<ServerEvent>
  package let endpoint: String

  enum Command: Sendable {
    case send(WireFrames, Peer)
    case disconnect(Peer)
  }

  /// Binds and starts the socket's thread.
  ///
  /// - Parameters:
  ///   - limits: the largest frames.
  ///   - protection: what is taken from one connection and from all together.
  /// - Throws: ``TransportError``: TCP without keys, address in use, no permission …, each with its remedy.
  package init(
    bind endpoint: Endpoint, security: Security = .none, limits: WireLimits = .standard,
    protection: ServerLimits = ServerLimits()
  ) throws {
    // One descriptor per worker; the usual limit of 1,024 is too low for a large cluster.
    FileLimit.raise(to: 65_536)
    let loop = try SocketLoop<Command>()
    let events = Inbox<ServerEvent> { [weak loop] in loop?.wake() }
    let bound = Bound()
    try loop.start(name: "engram.router", interval: 500) {
      let made = try Self.makeService(endpoint, security, limits: limits, protection: protection, events: events)
      bound.endpoint.withLock { $0 = made.endpoint }
      return made.service
    } onEnd: {
      events.finish()
    }
    self.loop = loop
    self.events = events
    self.endpoint = bound.endpoint.withLock { $0 }
  }

  private static func makeService(
    _ endpoint: Endpoint, _ security: Security, limits: WireLimits, protection: ServerLimits,
    events: Inbox<ServerEvent>
  ) throws -> (service: any SocketService<Command>, endpoint: String) {
    switch (endpoint, security) {
    case (.ipc(let path), .none):
      let service = try LocalService(limits: limits, protection: protection, events: events)
      try service.bind(path: path)
      return (service, service.boundEndpoint)
    case (.tcp(let host, let port), .curve(let pair, let folder)):
      let service = try RouterService(
        context: ZeroMQContext(), pair: pair, authorizedFolder: folder, limits: limits, protection: protection,
        events: events)
      try service.bind(host: host, port: port)
      return (service, service.boundEndpoint)
    case (.ipc, .curve):
      throw TransportError(.badEndpoint, "\(endpoint): a socket file needs no keys; its folder keeps others out")
    case (.tcp, .none): throw TransportError(.keysRequired, keysRequired(endpoint))
    }
  }

  private static func keysRequired(_ endpoint: Endpoint) -> String {
    "\(endpoint): TCP needs CURVE keys, on the loopback interface too, since every user of the machine can reach "
      + "it; run: engram keys generate server, then engram keys authorize NAME KEY for every worker"
  }

  deinit { loop.close() }

  package func send(_ frames: WireFrames, to peer: Peer) { loop.post(.send(frames, peer)) }
  package func disconnect(_ peer: Peer) { loop.post(.disconnect(peer)) }
  package func close() { loop.close() }
}

/// Carries the bound address out of the thread.
private final class Bound: Sendable { let endpoint = Mutex("") }
