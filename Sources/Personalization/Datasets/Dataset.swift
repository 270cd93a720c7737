import Foundations

/// Users with their histories, and the samples that ask about them; checked to fit together.
package struct Dataset: Sendable, Equatable {
  /// In file order.
  package let users: [User]
  /// In file order.
  package let samples: [Sample]
  /// Position in `users` of each user id.
  package let userIndex: [String: Int]

  /// Checks ids, references and leakage.
  ///
  /// - Throws: `DatasetError` with code `duplicate`, `unknownUser`, `leakage` or `empty`.
  package init(users: [User], samples: [Sample]) throws {
    try self.init(users: users, samples: samples, origin: nil)
  }

  /// Where records came from, so that errors can point there: file and line of each record.
  struct Origin {
    var usersPath: String
    var userLines: [Int]
    var samplesPath: String
    var sampleLines: [Int]
  }

  init(users: [User], samples: [Sample], origin: Origin?) throws {
    guard !users.isEmpty else {
      throw DatasetError(.empty, "no users; every line should be one user record", path: origin?.usersPath)
    }
    var index: [String: Int] = [:]
    for (position, user) in users.enumerated() {
      if let first = index.updateValue(position, forKey: user.id) {
        let before = origin.map { " (first on line \($0.userLines[first]))" } ?? ""
        throw DatasetError(
          .duplicate, "user id \"\(user.id)\" appears twice\(before); ids must be unique", path: origin?.usersPath,
          line: origin?.userLines[position])
      }
    }
    var seen: [String: Int] = [:]
    var histories: [Int: HistoryIndex] = [:]
    for (position, sample) in samples.enumerated() {
      func fail(_ code: DatasetError.Code, _ message: String) -> DatasetError {
        DatasetError(code, message, path: origin?.samplesPath, line: origin?.sampleLines[position])
      }
      if let first = seen.updateValue(position, forKey: sample.id) {
        let before = origin.map { " (first on line \($0.sampleLines[first]))" } ?? ""
        throw fail(.duplicate, "sample id \"\(sample.id)\" appears twice\(before); ids must be unique")
      }
      guard let owner = index[sample.user] else {
        let near = index.keys.min {
          (NearestName.distance($0, sample.user), $0) < (NearestName.distance($1, sample.user), $1)
        }
        let hint = near.map { "; the nearest known id is \"\($0)\"" } ?? ""
        throw fail(
          .unknownUser, "sample \"\(sample.id)\" belongs to the unknown user \"\(sample.user)\"\(hint)")
      }
      let history = histories[owner] ?? HistoryIndex(users[owner].history)
      histories[owner] = history
      if let item = history.leak(of: sample) {
        throw fail(
          .leakage,
          "the response of sample \"\(sample.id)\" stands in the history of user \"\(sample.user)\" "
            + "(item \(item + 1)); remove that item, or the score would measure copying")
      }
    }
    self.users = users
    self.samples = samples
    userIndex = index
  }

  /// The user of a sample of this dataset.
  package func user(of sample: Sample) -> User { users[userIndex[sample.user] ?? 0] }
}

/// Finds a sample's own response among its user's history items.
struct HistoryIndex {
  /// Short replies ("Yes, thank you.") recur by themselves; without a context they are no sign of leakage.
  static let minimumWords = 5
  private var byText: [String: [(item: Int, context: String?)]] = [:]

  init(_ history: [HistoryItem]) {
    for (position, item) in history.enumerated() {
      byText[Self.normalize(item.text), default: []].append((position, item.context.map(Self.normalize)))
    }
  }

  /// The position of an item that gives the sample's response away, or nil.
  ///
  /// An item leaks when its text is the response and it answers the same query, or when its text is the response, at
  /// least five words long, and it stands alone. The same words in answer to another query are the user's habit.
  func leak(of sample: Sample) -> Int? {
    let response = Self.normalize(sample.response)
    guard let matches = byText[response], !response.isEmpty else { return nil }
    let query = Self.normalize(sample.query)
    let isLong = response.split(separator: " ").count >= Self.minimumWords
    return matches.first { $0.context == query || ($0.context == nil && isLong) }?.item
  }

  /// Lower-case, with single spaces between words.
  static func normalize(_ text: String) -> String {
    text.lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
  }
}
