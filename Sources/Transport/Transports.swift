import WireProtocol

/// Who is behind a connection: the CURVE public key with which it proved itself in the handshake.
///
/// Several connections may share an identity: a cluster often has one key for all its workers.
package struct PeerIdentity: Hashable, Sendable, CustomStringConvertible {
  /// The public key's 40 characters; to be compared whole.
  package let key: String
  package init(key: String) { self.key = key }
  /// A short name for logs: the first 10 characters.
  package var fingerprint: String { String(key.prefix(10)) }
  package var description: String { fingerprint }
}

/// A connection of a worker, as the server sees it: the routing id that the worker chose for this one connection, and
/// the key that it showed.
package struct Peer: Hashable, Sendable, CustomStringConvertible {
  package let id: [UInt8]
  /// Whose key opened the connection; nil where there are no keys (ipc, in memory).
  package let identity: PeerIdentity?

  package init(id: [UInt8], identity: PeerIdentity? = nil) {
    self.id = id
    self.identity = identity
  }

  package var description: String { String(decoding: id.prefix(48), as: UTF8.self) }

  // Two peers of one routing id and different keys are different; there are too few of them to hash the key as well.
  package func hash(into hasher: inout Hasher) { hasher.combine(id) }
}

/// What arrives at the server.
package enum ServerEvent: Sendable, Equatable {
  /// Frames of an admitted peer, not yet decoded.
  case message(Peer, WireFrames)
  /// A message to this peer was dropped: the connection is gone or its queue is full.
  case undeliverable(Peer)
  /// Somebody was turned away in the handshake; at most one event per second, with the number since the last one.
  case turnedAway(key: String, address: String, count: Int)
  /// A key that was admitted is so no longer: its connections have been closed and nothing of them follows.
  ///
  /// `names` are those under which it had been admitted.
  case keyRevoked(PeerIdentity, names: [String])
  /// Something that the operator wants to see; at most one event of a kind per second.
  case notice(ServerNotice)
}

/// What arrives at a client.
package enum ClientEvent: Sendable, Equatable {
  /// Frames from the server, not yet decoded.
  case message(WireFrames)
  /// A message was dropped: there is no connection at the moment.
  case undeliverable
}

/// How far a client's connection has come, for diagnosis.
package enum ConnectionState: String, Sendable {
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
package protocol ServerTransport: AnyObject, Sendable {
  /// Where clients connect to: the bound address, with the port that was chosen for `tcp://HOST:*`.
  var endpoint: String { get }
  /// What arrives. To be read by one task; ends after `close`. While it is not read, the senders are held back.
  var events: Inbox<ServerEvent> { get }
  /// Queues a message; if it cannot be delivered, it is dropped and `undeliverable` is reported.
  func send(_ frames: WireFrames, to peer: Peer)
  /// Ends the connection of a peer that broke the protocol: what still comes from it is dropped, its worker is heard
  /// again after a pause, and new connections of its key are on probation for a minute (``ConnectionPenalties``).
  func disconnect(_ peer: Peer)
  /// Closes the socket; returns at once.
  func close()
}

/// A worker's end.
///
/// Delivery is at most once, order is kept; connects again by itself; nothing blocks.
package protocol ClientTransport: AnyObject, Sendable {
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
