/// What of the records does not fit into sequences of the allowed length: counted, so that it can be said.
package struct DataCuts: Sendable, Codable, Equatable {
  /// How many of some texts were cut, and how many of their tokens are gone.
  package struct Count: Sendable, Codable, Equatable {
    package var cut = 0
    package var of = 0
    package var tokensCut = 0
    package var tokens = 0

    package init() {}

    mutating func add(tokens: Int, cut: Int) {
      of += 1
      self.tokens += tokens
      tokensCut += cut
      if cut > 0 { self.cut += 1 }
    }
  }

  /// History items (and profile lines) whose end is never learnt.
  package var history = Count()
  /// Examples of the history that show fewer earlier items than `training.window` asks for.
  package var shortWindows = 0
  /// Prompts that lost their middle: the oldest part of the context.
  package var prompts = Count()
  /// Responses that lost their end, in training and in the measured loss.
  package var responses = Count()
  /// Longest sequence in tokens, and what the base would take.
  package var maxLength: Int
  package var baseLength: Int

  package init(maxLength: Int, baseLength: Int) {
    self.maxLength = maxLength
    self.baseLength = baseLength
  }

  /// What was cut, in sentences for people; empty where nothing was.
  package var sentences: [String] {
    var all: [String] = []
    let limit = "sequences have at most \(maxLength) tokens"
    if history.cut > 0 {
      all.append(
        "\(history.cut) of \(history.of) history items are cut at their end: \(history.tokensCut) of \(history.tokens) "
          + "tokens are never learnt, for \(limit)\(remedy); or split the items")
    }
    if prompts.cut > 0 {
      all.append(
        "\(prompts.cut) of \(prompts.of) prompts are cut in their middle: \(prompts.tokensCut) of \(prompts.tokens) "
          + "tokens are not shown, for \(limit)\(remedy); the beginning, which names the user, and the end stay")
    }
    if responses.cut > 0 {
      all.append(
        "\(responses.cut) of \(responses.of) responses are cut at their end: \(responses.tokensCut) of "
          + "\(responses.tokens) tokens are neither learnt nor measured, for a response has half of the \(maxLength) "
          + "tokens of a sequence\(remedy)")
    }
    return all
  }

  private var remedy: String {
    maxLength < baseLength ? " (training.maxLength; the base takes \(baseLength))" : " (the base takes no more)"
  }
}
