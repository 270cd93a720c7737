import RandomStreams
import Study

/// The outcomes that a worker keeps until each is acknowledged, whatever becomes of its connections meanwhile.
struct Outbox: Sendable {
  /// One outcome on its way.
  struct Entry: Sendable {
    var submission: Submission
    /// Number of its message: the same every time it is sent.
    var id: Int64
    /// How long to wait for the acknowledgement before it is sent again.
    var pause: Duration
    /// When it is to be sent next.
    var due: Duration
  }

  /// With so many unacknowledged outcomes a worker asks for no more work.
  static let limit = 64
  /// How many attempts that are over are remembered.
  private static let memory = 256

  /// Oldest first.
  private(set) var entries: [Entry] = []
  /// Attempts that are over: an assignment of one of them is a late copy.
  private var over: [AttemptToken] = []

  var isEmpty: Bool { entries.isEmpty }
  var isFull: Bool { entries.count >= Self.limit }
  var tokens: [AttemptToken] { entries.map(\.submission.attempt) }
  /// When the next outcome is to be sent; nil where none waits.
  var nextDue: Duration? { entries.map(\.due).min() }

  func holds(_ token: AttemptToken) -> Bool { entries.contains { $0.submission.attempt == token } }
  func isOver(_ token: AttemptToken) -> Bool { over.contains(token) }

  mutating func add(_ submission: Submission, id: Int64, pause: Duration, due: Duration) {
    entries.append(Entry(submission: submission, id: id, pause: pause, due: due))
  }

  /// Remembers that nothing more is to be done for an attempt.
  mutating func remember(_ token: AttemptToken) {
    over.append(token)
    if over.count > Self.memory { over.removeFirst() }
  }

  /// The messages that are due; each waits longer for its next time.
  mutating func sendDue(now: Duration, maximum: Duration, _ jitter: inout Jitter) -> [Envelope] {
    var messages: [Envelope] = []
    for index in entries.indices where entries[index].due <= now {
      let entry = entries[index]
      messages.append(Envelope(id: entry.id, message: entry.submission.message))
      entries[index].due = now + jitter.lengthen(entry.pause)
      entries[index].pause = min(entry.pause * 2, maximum)
    }
    return messages
  }

  /// Lets the outcome of one attempt be sent now.
  mutating func expedite(_ token: AttemptToken, now: Duration) {
    if let index = entries.firstIndex(where: { $0.submission.attempt == token }) { entries[index].due = now }
  }

  /// Lets every outcome be sent now, over a new connection.
  mutating func restart(pause: Duration, now: Duration) {
    for index in entries.indices {
      entries[index].due = now
      entries[index].pause = pause
    }
  }

  /// Removes the outcome whose message is acknowledged; nil where none of that number waits.
  mutating func remove(acknowledged id: Int64) -> AttemptToken? {
    guard let index = entries.firstIndex(where: { $0.id == id }) else { return nil }
    let token = entries.remove(at: index).submission.attempt
    remember(token)
    return token
  }

  /// Forgets everything: it belongs to a study that was started over.
  mutating func clear() -> [AttemptToken] {
    defer { self = Outbox() }
    return tokens
  }
}

/// Pauses lengthened by 0...25 %, so that workers that lost their coordinator together do not come back together.
struct Jitter: Sendable {
  var seed: UInt64
  private var draws: UInt64 = 0

  init(seed: UInt64) { self.seed = seed }

  mutating func lengthen(_ pause: Duration) -> Duration {
    draws += 1
    var stream = RandomStream(seed: seed, purpose: "worker/backoff", index: draws)
    return pause * (1 + stream.uniform() / 4)
  }
}
