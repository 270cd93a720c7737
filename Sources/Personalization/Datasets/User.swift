/// One person whose content is to be remembered.
public struct User: Hashable, Sendable {
  /// Unique over the dataset.
  public var id: String
  /// Declared attributes (`"allergy": "pollen"`), in no order; never part of a memory unless the templates say so.
  public var profile: [String: String]
  /// What the user wrote or was part of, oldest first.
  public var history: [HistoryItem]

  public init(id: String, profile: [String: String] = [:], history: [HistoryItem] = []) {
    self.id = id
    self.profile = profile
    self.history = history
  }
}

/// One piece of a user's content: a post, a review, an answer, an utterance.
public struct HistoryItem: Hashable, Sendable, Codable {
  /// What it is (`post`, `review`, `dialogue`, …); selects the line template.
  public var kind: String
  /// The user's own words.
  public var text: String
  /// What the text responds to (a question, a product), if anything.
  public var context: String?
  /// Seconds since some fixed origin, or any number that orders the items of one user.
  public var time: Double?

  public init(kind: String, text: String, context: String? = nil, time: Double? = nil) {
    self.kind = kind
    self.text = text
    self.context = context
    self.time = time
  }
}
