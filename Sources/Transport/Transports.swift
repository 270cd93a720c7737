import WireProtocol

/// A connection of a worker, as the server sees it: the routing id that the worker chose for this one connection.
public struct Peer: Hashable, Sendable, CustomStringConvertible {
  public let id: [UInt8]
  public init(id: [UInt8]) { self.id = id }
  public var description: String { String(decoding: id.prefix(48), as: UTF8.self) }
}

/// What arrives at the server.
public enum ServerEvent: Sendable, Equatable {
  /// Frames of an admitted peer, not yet decoded.
  case message(Peer, WireFrames)
  /// A message to this peer was dropped: the connection is gone or its queue is full.
  case undeliverable(Peer)
  /// Somebody was turned away in the handshake; at most one event per second, with the number since the last one.
  case turnedAway(key: String, address: String, count: Int)
}

/// What arrives at a client.
public enum ClientEvent: Sendable, Equatable {
  /// Frames from the server, not yet decoded.
  case message(WireFrames)
  /// A message was dropped: there is no connection at the moment.
  case undeliverable
}

/// How far a client's connection has come, for diagnosis.
public enum ConnectionState: String, Sendable {
  /// Nothing is known yet, or an attempt is under way.
  case connecting
  /// Nobody listens at the address.
  case unreachable
  /// Somebody listens, but the handshake failed or was refused: key not authorised, wrong server key, no keys.
  case handshakeFailed
  /// The handshake is complete.
  case connected
}

/// The coordinator's end.
///
/// Delivery is at most once, order is kept per peer; nothing blocks.
///
/// What the protocol needs beyond that (ids, acknowledgements, repetition) is the sessions' job.
public protocol ServerTransport: AnyObject, Sendable {
  /// Where clients connect to: the bound address, with the port that was chosen for `tcp://HOST:*`.
  var endpoint: String { get }
  /// What arrives. To be read by one task; ends after `close`. While it is not read, the senders are held back.
  var events: Inbox<ServerEvent> { get }
  /// Queues a message; if it cannot be delivered, it is dropped and `undeliverable` is reported.
  func send(_ frames: WireFrames, to peer: Peer)
  /// Ends the connection of a peer that broke the protocol: what still comes from it is dropped, and for a minute new
  /// connections with its key are admitted one at a time (``ConnectionPenalties``).
  func disconnect(_ peer: Peer)
  /// Closes the socket; returns at once.
  func close()
}

/// A worker's end.
///
/// Delivery is at most once, order is kept; connects again by itself; nothing blocks.
public protocol ClientTransport: AnyObject, Sendable {
  /// What arrives. To be read by one task; ends after `close`.
  var events: Inbox<ClientEvent> { get }
  /// How far the connection has come.
  var connectionState: ConnectionState { get }
  /// Queues a message; without a connection it is dropped and `undeliverable` is reported.
  func send(_ frames: WireFrames)
  /// Drops the connection and makes a new one with a new routing id.
  func reconnect()
  /// Closes the socket; returns at once.
  func close()
}
