/// What follows for a connection that was ended because it broke the protocol.
///
/// Its routing id stays unheard, so that frames that are still in the buffers do no more harm. A worker's routing ids
/// have its own name in common (`INCARNATION.1`, `INCARNATION.2` …): new connections under that name are heard again
/// after a pause that doubles with every end. New connections of the same key, and of nobody else, are on probation for
/// a minute: heard at once, but slowly, and only when they begin with a greeting. The key is not shut out: a cluster
/// often has one key for all its workers, and one of them gone mad must not take the others' place. Pure: time is an
/// argument.
struct ConnectionPenalties {
  typealias Instant = ContinuousClock.Instant

  /// How long an ended connection stays unheard and its key is on probation.
  static let duration = Duration.seconds(60)
  /// The first pause of a worker whose connection was ended.
  static let firstPause = Duration.seconds(1)
  /// The longest one.
  static let longestPause = Duration.seconds(60)
  /// A worker that behaved for so long begins with the first pause again.
  static let memory = Duration.seconds(600)
  /// Entries of a kind that are kept at most; beyond them the half that ends first is forgotten.
  static let capacity = 1024

  private struct Worker: Hashable {
    var identity: PeerIdentity?
    var name: ArraySlice<UInt8>

    init(_ peer: Peer) {
      identity = peer.identity
      name = peer.id[..<(peer.id.lastIndex(of: UInt8(ascii: ".")) ?? peer.id.endIndex)]
    }
  }

  private struct Pause {
    var end: Instant
    var length: Duration
  }

  private var ended: [Peer: Instant] = [:]
  private var pauses: [Worker: Pause] = [:]
  private var probations: [PeerIdentity: Instant] = [:]

  /// Number of entries that are kept.
  var count: Int { ended.count + pauses.count + probations.count }

  /// The connection `peer` is ended.
  mutating func end(_ peer: Peer, now: Instant) {
    Self.makeRoom(in: &ended, now: now) { $0 }
    Self.makeRoom(in: &pauses, now: now) { $0.end + Self.memory }
    ended[peer] = now + Self.duration
    let worker = Worker(peer)
    var length = Self.firstPause
    if let last = pauses[worker], last.end + Self.memory > now { length = min(last.length * 2, Self.longestPause) }
    pauses[worker] = Pause(end: now + length, length: length)
    guard let identity = peer.identity else { return }
    Self.makeRoom(in: &probations, now: now) { $0 }
    probations[identity] = now + Self.duration
  }

  /// Whether frames of this very connection are dropped.
  func isEnded(_ peer: Peer, now: Instant) -> Bool {
    // Nearly always there are none: no hash is computed then.
    guard !ended.isEmpty, let end = ended[peer] else { return false }
    return end > now
  }

  /// Whether a new connection of this worker comes too early.
  func mustPause(_ peer: Peer, now: Instant) -> Bool {
    guard !pauses.isEmpty, let pause = pauses[Worker(peer)] else { return false }
    return pause.end > now
  }

  /// Whether new connections of this key are heard slowly, and only from a greeting on.
  func isOnProbation(_ identity: PeerIdentity?, now: Instant) -> Bool {
    guard !probations.isEmpty, let identity, let end = probations[identity] else { return false }
    return end > now
  }

  /// Forgets what is over; where that is not enough, the half that is over first.
  private static func makeRoom<Key, Value>(
    in entries: inout [Key: Value], now: Instant, end: (Value) -> Instant
  ) {
    guard entries.count >= capacity else { return }
    entries = entries.filter { end($0.value) > now }
    guard entries.count > capacity / 2 else { return }
    let middle = entries.values.map(end).sorted()[entries.count / 2]
    // All at one time: any half will do.
    let kept = entries.filter { end($0.value) > middle }
    entries =
      kept.isEmpty ? Dictionary(uniqueKeysWithValues: entries.prefix(capacity / 2).map { ($0.key, $0.value) }) : kept
  }
}
