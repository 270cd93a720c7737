/// The columns of the paper's Table 1.
///
/// Users are those with at least one sample; the history length is their mean number of items; content and response
/// lengths are means of white-space separated words (60 x 182 = 10,920 in the paper's MedDia row settles the reading).
package struct DatasetStatistics: Sendable, Codable, Equatable {
  package var users: Int
  package var samples: Int
  /// Mean number of history items per user.
  package var historyLength: Double
  /// Mean words of a history item's text.
  package var contentWords: Double
  /// Mean words of a response.
  package var responseWords: Double
  /// Mean tokens of a history item's text, where a tokenizer was given.
  package var contentTokens: Double?
  /// Mean tokens of a response, where a tokenizer was given.
  package var responseTokens: Double?
  /// How users and dialogues were linked, where an importer had to choose (`positional`).
  package var association: String?
}

extension Dataset {
  /// Table 1 for this dataset; token counts too when `tokens` counts the tokens of a text.
  package func statistics(
    association: String? = nil, tokens: ((String) throws -> Int)? = nil
  ) rethrows -> DatasetStatistics {
    let active = Set(samples.map(\.user))
    let people = users.filter { active.contains($0.id) }
    let items = people.flatMap(\.history)
    func mean(_ values: [Int]) -> Double {
      values.isEmpty ? 0 : Double(values.reduce(0, +)) / Double(values.count)
    }
    func words(_ text: String) -> Int { text.split(whereSeparator: \.isWhitespace).count }
    var statistics = DatasetStatistics(
      users: people.count, samples: samples.count,
      historyLength: people.isEmpty ? 0 : Double(items.count) / Double(people.count),
      contentWords: mean(items.map { words($0.text) }), responseWords: mean(samples.map { words($0.response) }),
      contentTokens: nil, responseTokens: nil, association: association)
    if let tokens {
      statistics.contentTokens = mean(try items.map { try tokens($0.text) })
      statistics.responseTokens = mean(try samples.map { try tokens($0.response) })
    }
    return statistics
  }
}
