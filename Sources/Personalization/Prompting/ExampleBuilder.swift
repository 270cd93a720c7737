import LanguageModel

/// Turns records into token sequences of bounded length.
///
/// Lines are encoded one by one, so that the borders between context and content are borders between tokens. The order
/// is: leading specials of the tokenizer, context, content, end token.
public struct ExampleBuilder: Sendable {
  public let tokenizer: Tokenizer
  public let templates: Templates
  /// Longest sequence in tokens.
  public let maxLength: Int
  /// Ends every content and every reply.
  public let endToken: Int32
  private let separator: [Int32]

  /// - Throws: `DatasetError.malformed` for templates that can not be filled, or a tokenizer without an end token.
  public init(tokenizer: Tokenizer, templates: Templates, maxLength: Int) throws {
    try templates.validate()
    guard let end = tokenizer.specialIDs.eos.first else {
      throw DatasetError(
        .malformed,
        "the base's tokenizer names no end token; set \"eos_token\" in tokenizer_config.json or \"eos_token_id\" in "
          + "config.json")
    }
    self.tokenizer = tokenizer
    self.templates = templates
    self.maxLength = max(maxLength, 8)
    endToken = end
    separator = tokenizer.encode(templates.separator, addSpecialTokens: false)
  }

  /// Stage 1, next-user-content prediction: each item of a history after up to `window` items before it.
  ///
  /// - Parameters:
  ///   - labelContext: let the loss count the context's tokens too.
  public func memoryExamples(_ user: User, window: Int, labelContext: Bool) -> [TrainingExample] {
    let lines = [templates.profileLine(user)].compactMap { $0 } + user.history.map { templates.line($0, user: user.id) }
    let encoded = lines.map { tokenizer.encode($0, addSpecialTokens: false) }
    let leading = tokenizer.leadingSpecials
    return encoded.indices.filter { !encoded[$0].isEmpty }.map { index in
      // An item that is too long by itself loses its end: its beginning names the user.
      let content = Array(encoded[index].prefix(maxLength - leading.count - 1)) + [endToken]
      var room = maxLength - leading.count - content.count
      var context: [Int32] = []
      for before in stride(from: index - 1, through: max(0, index - window), by: -1) {
        // Whole items only, the oldest dropped first.
        let line = encoded[before] + separator
        guard line.count <= room else { break }
        context = line + context
        room -= line.count
      }
      let ids = leading + context + content
      let unlabelled = labelContext ? leading.count : ids.count - content.count
      return Self.example(ids, labelledFrom: unlabelled)
    }
  }

  /// What the model is given before it replies, leaving room for `reserving` more tokens; loses its oldest tokens first.
  public func prompt(_ sample: Sample, profile: [String: String] = [:], reserving: Int) -> [Int32] {
    let leading = tokenizer.leadingSpecials
    let text = tokenizer.encode(templates.promptText(sample, profile: profile), addSpecialTokens: false)
    let room = max(1, maxLength - leading.count - reserving)
    return leading + text.suffix(room)
  }

  /// Stage 2 and evaluation: prompt and response, loss on the response and the end token.
  public func responseExample(_ sample: Sample, profile: [String: String] = [:]) -> TrainingExample {
    // Half of the length at least belongs to the prompt: a response beyond it loses its end.
    let full = tokenizer.encode(templates.responseText(sample), addSpecialTokens: false) + [endToken]
    let response = full.count <= maxLength / 2 ? full : Array(full.prefix(maxLength / 2))
    let prompt = prompt(sample, profile: profile, reserving: response.count)
    return Self.example(prompt + response, labelledFrom: prompt.count)
  }

  private static func example(_ ids: [Int32], labelledFrom first: Int) -> TrainingExample {
    let numbers = ids.map(Int.init)
    return TrainingExample(
      ids: numbers, labels: [Int](repeating: TrainingExample.ignored, count: first) + numbers[first...])
  }

  /// The bare reply in generated ids.
  public func reply(_ ids: [Int32]) throws -> String {
    templates.bareReply(try tokenizer.decode(ids, skipSpecialTokens: true))
  }
}
