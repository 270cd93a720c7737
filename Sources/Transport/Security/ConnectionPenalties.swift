/// What follows for a peer whose connection was ended because it broke the protocol.
///
/// Its routing id stays unheard, so that frames that are still in the buffers do no more harm, and its key connects at a
/// slow pace for a while, so that connecting again is no way around that. The key is not shut out: a cluster often has
/// one key for all its workers, and one of them gone mad must not take the others' place. Pure: time is an argument.
struct ConnectionPenalties {
  typealias Instant = ContinuousClock.Instant

  /// How long an ended connection stays unheard and its key is slow.
  static let duration = Duration.seconds(60)
  /// Time between two connections of such a key.
  static let pause = Duration.seconds(1)
  /// Entries above which those that are over are removed.
  private static let sweepLimit = 1024

  private struct Pace {
    var end: Instant
    var next: Instant
  }

  private var ended: [Peer: Instant] = [:]
  private var paces: [String: Pace] = [:]

  /// Number of entries that are kept.
  var count: Int { ended.count + paces.count }

  /// The connection `peer` of `user` (the key; nil where there are none) is ended.
  mutating func end(_ peer: Peer, user: String?, now: Instant) {
    if ended.count >= Self.sweepLimit { ended = ended.filter { $0.value > now } }
    if paces.count >= Self.sweepLimit { paces = paces.filter { $0.value.end > now } }
    ended[peer] = now + Self.duration
    if let user { paces[user] = Pace(end: now + Self.duration, next: now + Self.pause) }
  }

  /// Whether frames of `peer` are dropped.
  func isEnded(_ peer: Peer, now: Instant) -> Bool {
    // Nearly always there are none: no hash is computed then.
    guard !ended.isEmpty, let end = ended[peer] else { return false }
    return end > now
  }

  /// Whether `user` may connect now; one that may uses up the present slot.
  mutating func admits(_ user: String, now: Instant) -> Bool {
    guard let pace = paces[user] else { return true }
    if pace.end <= now {
      paces[user] = nil
      return true
    }
    guard pace.next <= now else { return false }
    paces[user]?.next = now + Self.pause
    return true
  }
}

/// Where the connections come from that were heard lately: what ``ServerTransport/disconnect(_:)`` needs to know.
struct ConnectionOrigins {
  typealias Instant = ContinuousClock.Instant

  struct Origin {
    var user: String?
    var descriptor: Int32?
    var heard: Instant
  }

  /// A connection that was silent for longer is forgotten when room is needed; a lease is shorter.
  static let silence = Duration.seconds(600)

  private var origins: [Peer: Origin] = [:]
  private var sweepAt = 4096

  /// Number of connections that are remembered.
  var count: Int { origins.count }

  mutating func note(_ peer: Peer, user: String?, descriptor: Int32?, now: Instant) {
    origins[peer] = Origin(user: user, descriptor: descriptor, heard: now)
    guard origins.count > sweepAt else { return }
    origins = origins.filter { now - $0.value.heard < Self.silence }
    sweepAt = max(4096, 2 * origins.count)
  }

  mutating func remove(_ peer: Peer) -> Origin? { origins.removeValue(forKey: peer) }
}
