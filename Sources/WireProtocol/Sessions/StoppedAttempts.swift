import Study

/// Attempts that a worker was told to stop, while it may still execute them: the newest ``limit``.
struct StoppedAttempts: Sendable {
  /// One connection holds one attempt at a time: more than a few that it should stop are made up.
  static let limit = 64

  private var reasons: [AttemptToken: Cancellation.Reason] = [:]
  private var order: [AttemptToken] = []

  var count: Int { reasons.count }

  subscript(_ token: AttemptToken) -> Cancellation.Reason? { reasons[token] }

  mutating func insert(_ token: AttemptToken, _ reason: Cancellation.Reason) {
    guard reasons.updateValue(reason, forKey: token) == nil else { return }
    order.append(token)
    if order.count > Self.limit { reasons[order.removeFirst()] = nil }
  }

  mutating func remove(_ token: AttemptToken) {
    if reasons.removeValue(forKey: token) != nil { order.removeAll { $0 == token } }
  }
}
