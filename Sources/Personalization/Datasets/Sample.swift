/// One query of a user with the response that he gave or wants.
package struct Sample: Hashable, Sendable {
  /// Unique over the dataset.
  package var id: String
  /// The `User.id` it belongs to.
  package var user: String
  package var query: String
  /// More to go on than the query (a product description, the dialogue so far), if anything.
  package var context: String?
  package var response: String
  /// Same units as `HistoryItem.time`.
  package var time: Double?
  /// The part it belongs to when the dataset comes with its own split.
  package var split: SplitPart?

  package init(
    id: String, user: String, query: String, context: String? = nil, response: String, time: Double? = nil,
    split: SplitPart? = nil
  ) {
    self.id = id
    self.user = user
    self.query = query
    self.context = context
    self.response = response
    self.time = time
    self.split = split
  }
}

/// The three parts of a split.
package enum SplitPart: String, Sendable, Codable, CaseIterable {
  case train
  case validation
  case test
}
