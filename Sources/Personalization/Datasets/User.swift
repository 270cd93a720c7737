/// One person whose content is to be remembered.
package struct User: Hashable, Sendable {
  /// Unique over the dataset.
  package var id: String
  /// Declared attributes (`"allergy": "pollen"`), in no order; never part of a memory unless the templates say so.
  package var profile: [String: String]
  /// What the user wrote or was part of, oldest first.
  package var history: [HistoryItem]

  package init(id: String, profile: [String: String] = [:], history: [HistoryItem] = []) {
    self.id = id
    self.profile = profile
    self.history = history
  }
}

/// One piece of a user's content: a post, a review, an answer, an utterance.
package struct HistoryItem: Hashable, Sendable, Codable {
  /// What it is (`post`, `review`, `dialogue`, …); selects the line template.
  package var kind: String
  /// The user's own words.
  package var text: String
  /// What the text responds to (a question, a product), if anything.
  package var context: String?
  /// Seconds since some fixed origin, or any number that orders the items of one user.
  package var time: Double?

  package init(kind: String, text: String, context: String? = nil, time: Double? = nil) {
    self.kind = kind
    self.text = text
    self.context = context
    self.time = time
  }
}
