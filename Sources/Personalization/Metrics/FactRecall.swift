/// Whether a reply states the user's facts: F1 over the profile values that it mentions.
///
/// A fact is a value of some user's profile. Wanted are the values of the sample's own user that its gold response
/// mentions; given are all values, of any user, that the reply mentions. A reply that guesses someone else's value loses
/// precision, one that evades loses recall. Samples whose gold response mentions no fact do not count.
package struct FactRecall: Sendable {
  /// Values longer than this many words are prose, not facts.
  package static let maximumWords = 4

  private let facts: Set<[String]>
  private let longest: Int
  private let ownFacts: [String: Set<[String]>]

  /// Collects the profile values of `users`.
  package init(users: [User]) {
    var all = Set<[String]>()
    var own: [String: Set<[String]>] = [:]
    for user in users {
      let values = user.profile.values.map { Rouge.tokens($0, options: .init(unicode: true)) }
        .filter { !$0.isEmpty && $0.count <= Self.maximumWords }
      own[user.id] = Set(values)
      all.formUnion(values)
    }
    facts = all
    ownFacts = own
    longest = all.map(\.count).max() ?? 0
  }

  /// The facts that `text` mentions.
  package func mentioned(in text: String) -> Set<[String]> {
    let words = Rouge.tokens(text, options: .init(unicode: true))
    var found = Set<[String]>()
    for start in words.indices {
      for length in 1...max(longest, 1) where start + length <= words.count {
        let candidate = Array(words[start..<(start + length)])
        if facts.contains(candidate) { found.insert(candidate) }
      }
    }
    return found
  }

  /// Whether the gold response of `sample` mentions a fact, so that the sample counts.
  package func asks(_ sample: Sample) -> Bool { !wanted(sample).isEmpty }

  private func wanted(_ sample: Sample) -> Set<[String]> {
    mentioned(in: sample.response).intersection(ownFacts[sample.user] ?? [])
  }

  /// F1 of the facts in `reply`, a fraction in [0, 1]; nil where the gold response of `sample` mentions none.
  package func score(reply: String, sample: Sample) -> Double? {
    let wanted = wanted(sample)
    guard !wanted.isEmpty else { return nil }
    let given = mentioned(in: reply)
    let right = Double(given.intersection(wanted).count)
    return given.isEmpty ? 0 : 2 * right / Double(given.count + wanted.count)
  }
}
