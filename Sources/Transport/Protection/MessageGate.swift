import Foundations
import WireProtocol

/// How fast each connection may speak: a bucket of messages per connection, and a short queue for what is too fast.
///
/// Pure: the time is an argument. A worker that waits for answers is only slowed; who sends on without end is ended.
struct MessageGate {
  typealias Instant = ContinuousClock.Instant

  enum Verdict: Equatable {
    /// To be handed on now.
    case pass
    /// Kept until its connection may speak again.
    case wait
    /// Too many wait already: the connection has to end.
    case overflow
  }

  private struct Bucket {
    var tokens: Double
    var rate: Double
    var burst: Double
    var filled: Instant

    mutating func take(_ now: Instant) -> Bool {
      let passed = (now - filled).seconds
      if passed > 0 {
        tokens = min(burst, tokens + rate * passed)
        filled = now
      }
      guard tokens >= 1 else { return false }
      tokens -= 1
      return true
    }
  }

  private struct Queue {
    var messages: [(peer: Peer, frames: WireFrames)] = []
    var bytes = 0
  }

  let limits: ServerLimits
  private var buckets: [Int32: Bucket] = [:]
  private var queues: [Int32: Queue] = [:]

  init(limits: ServerLimits) { self.limits = limits }

  /// Whether messages wait.
  var hasWaiting: Bool { !queues.isEmpty }
  /// Messages of a connection that wait.
  func waiting(_ descriptor: Int32) -> Int { queues[descriptor]?.messages.count ?? 0 }
  /// Number of connections that are remembered.
  var count: Int { buckets.count }

  /// A new connection on this descriptor.
  mutating func open(_ descriptor: Int32, isOnProbation: Bool, now: Instant) {
    queues[descriptor] = nil
    buckets[descriptor] =
      isOnProbation
      ? Bucket(
        tokens: limits.probationBurst, rate: limits.probationMessagesPerSecond, burst: limits.probationBurst,
        filled: now)
      : Bucket(
        tokens: max(1, limits.messageBurst / 10), rate: limits.messagesPerSecond, burst: limits.messageBurst,
        filled: now)
  }

  /// The connection is gone, with what waited of it.
  mutating func close(_ descriptor: Int32) {
    buckets[descriptor] = nil
    queues[descriptor] = nil
  }

  /// Whether a message may be handed on; one that may not is kept.
  mutating func admit(_ descriptor: Int32, _ peer: Peer, _ frames: WireFrames, now: Instant) -> Verdict {
    if buckets[descriptor] == nil { open(descriptor, isOnProbation: false, now: now) }
    // Behind what waits: the order of a connection's messages is kept.
    if queues[descriptor] == nil, buckets[descriptor]?.take(now) == true { return .pass }
    var queue = queues[descriptor] ?? Queue()
    let bytes = queue.bytes + frames.byteCount
    guard queue.messages.count < limits.waitingMessages, bytes <= limits.waitingBytes else { return .overflow }
    queue.messages.append((peer, frames))
    queue.bytes = bytes
    queues[descriptor] = queue
    return .wait
  }

  /// What has waited long enough.
  mutating func due(now: Instant) -> [(peer: Peer, frames: WireFrames)] {
    guard !queues.isEmpty else { return [] }
    var ready: [(peer: Peer, frames: WireFrames)] = []
    for (descriptor, queue) in queues {
      var count = 0
      while count < queue.messages.count, buckets[descriptor]?.take(now) == true { count += 1 }
      guard count > 0 else { continue }
      ready += queue.messages[..<count]
      guard count < queue.messages.count else {
        queues[descriptor] = nil
        continue
      }
      var rest = queue
      rest.messages.removeFirst(count)
      rest.bytes = rest.messages.reduce(0) { $0 + $1.frames.byteCount }
      queues[descriptor] = rest
    }
    return ready
  }
}

extension WireFrames {
  /// Bytes of both frames.
  var byteCount: Int { json.count + (attachment?.count ?? 0) }

  /// Bytes on a TCP connection under CURVE: each frame has a head, a box with a nonce and a proof, and its flags.
  static func wireBytes(ofFrame bytes: Int) -> Int { bytes + 33 + (bytes + 33 > 255 ? 9 : 2) }
}
