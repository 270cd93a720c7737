/// Notices for the operator, at most one of a kind per second, with the number of those in between.
struct NoticeBoard {
  typealias Instant = ContinuousClock.Instant

  static let interval = Duration.seconds(1)

  private struct Kind {
    var waiting: ServerNotice?
    var last: Instant?
  }

  private var kinds: [String: Kind] = [:]

  mutating func add(_ notice: ServerNotice) {
    let kind = notice.kind
    // Kinds are few, but a file's name is the file's owner's choice.
    if kinds[kind] == nil, kinds.count >= 256 { return }
    kinds[kind, default: Kind()].waiting = notice.following(kinds[kind]?.waiting)
  }

  mutating func due(now: Instant) -> [ServerNotice] {
    guard !kinds.isEmpty else { return [] }
    var ready: [ServerNotice] = []
    for (name, kind) in kinds {
      let isDue = kind.last.map { now - $0 >= Self.interval } ?? true
      guard isDue else { continue }
      if let notice = kind.waiting {
        ready.append(notice)
        kinds[name] = Kind(waiting: nil, last: now)
      } else {
        kinds[name] = nil
      }
    }
    return ready
  }
}

extension ServerNotice {
  /// What is counted together.
  fileprivate var kind: String {
    switch self {
    case .unheardEnded(_, _, let limit): "unheard \(limit)"
    case .connectionEnded(_, let why, _): "ended \(why)"
    case .acceptFailed(let reason, _): "accept \(reason)"
    case .allowListKept: "kept"
    case .allowListBack: "back"
    case .notAKey(let file, _): "file \(file)"
    }
  }

  /// This notice, with the number of an earlier one of its kind added.
  fileprivate func following(_ earlier: ServerNotice?) -> ServerNotice {
    switch (self, earlier) {
    case (.unheardEnded(let count, let address, let limit), .unheardEnded(let more, _, _)?):
      .unheardEnded(count: count + more, address: address, limit: limit)
    case (.connectionEnded(let peer, let why, let count), .connectionEnded(_, _, let more)?):
      .connectionEnded(peer, why: why, count: count + more)
    case (.acceptFailed(let reason, let count), .acceptFailed(_, let more)?):
      .acceptFailed(reason, count: count + more)
    default: self
    }
  }
}
