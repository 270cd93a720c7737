import LanguageModel
import MemoryRecipe

/// Turns records into token sequences of bounded length.
///
/// Lines are encoded one by one, so that the borders between context and content are borders between tokens. The order
/// is: leading specials of the tokenizer, context, content, end token. What does not fit is cut, and every cut is told.
package struct ExampleBuilder: Sendable {
  /// Room that a prompt leaves for the reply, in tokens; a quarter of the length at most.
  ///
  /// It does not depend on `evaluation.maxNewTokens`: an upper bound on the reply must not change what is asked.
  package static let replyReserve = 64
  /// Shorter sequences than this hold no prompt with a reply.
  package static let minimumLength = 8

  package let tokenizer: Tokenizer
  package let templates: Templates
  /// Longest sequence in tokens.
  package let maxLength: Int
  /// Ends every content and every reply.
  package let endToken: Int32
  private let separator: [Int32]

  /// - Throws: `DatasetError.malformed` for templates that can not be filled, or a tokenizer without an end token.
  package init(tokenizer: Tokenizer, templates: Templates, maxLength: Int) throws {
    try templates.validate()
    guard let end = tokenizer.specialIDs.eos.first else {
      throw DatasetError(
        .malformed,
        "the base's tokenizer names no end token; set \"eos_token\" in tokenizer_config.json or \"eos_token_id\" in "
          + "config.json")
    }
    self.tokenizer = tokenizer
    self.templates = templates
    self.maxLength = max(maxLength, Self.minimumLength)
    endToken = end
    separator = tokenizer.encode(templates.separator, addSpecialTokens: false)
  }

  // MARK: Histories

  /// One example of a history, with what it lost.
  package struct MemoryPiece: Sendable {
    package var example: TrainingExample
    /// Position in the history; nil = the profile's line.
    package var item: Int?
    /// Tokens of the line, and how many of them were cut off at its end.
    package var content: (tokens: Int, cut: Int)
    /// Earlier items that the window asks for and that found no room.
    package var missingContext: Int
  }

  /// Stage 1, next-user-content prediction: each item of a history after up to `window` items before it.
  ///
  /// - Parameters:
  ///   - labelContext: let the loss count the context's tokens too.
  package func memoryPieces(_ user: User, window: Int, labelContext: Bool) -> [MemoryPiece] {
    let profile = [templates.profileLine(user)].compactMap { $0 }
    let lines = profile + user.history.map { templates.line($0, user: user.id) }
    let encoded = lines.map { tokenizer.encode($0, addSpecialTokens: false) }
    let leading = tokenizer.leadingSpecials
    return encoded.indices.filter { !encoded[$0].isEmpty }.map { index in
      // An item that is too long by itself loses its end: its beginning names the user.
      let kept = encoded[index].prefix(maxLength - leading.count - 1)
      let content = Array(kept) + [endToken]
      var room = maxLength - leading.count - content.count
      var context: [Int32] = []
      var shown = 0
      let wanted = index - max(0, index - window)
      for before in stride(from: index - 1, through: index - wanted, by: -1) {
        // Whole items only, the oldest dropped first.
        let line = encoded[before] + separator
        guard line.count <= room else { break }
        context = line + context
        room -= line.count
        shown += 1
      }
      let ids = leading + context + content
      let unlabelled = labelContext ? leading.count : ids.count - content.count
      return MemoryPiece(
        example: Self.example(ids, labelledFrom: unlabelled), item: index < profile.count ? nil : index - profile.count,
        content: (encoded[index].count, encoded[index].count - kept.count), missingContext: wanted - shown)
    }
  }

  /// The examples of `memoryPieces`.
  package func memoryExamples(_ user: User, window: Int, labelContext: Bool) -> [TrainingExample] {
    memoryPieces(user, window: window, labelContext: labelContext).map(\.example)
  }

  // MARK: Prompts

  /// A prompt, with what it lost.
  package struct Prompt: Sendable {
    package var ids: [Int32]
    /// Tokens of the whole prompt, and how many of them were cut out of its middle.
    package var tokens: Int
    package var cut: Int
  }

  /// What the model is given before it replies, with room for a reply; see `replyReserve`.
  package func prompt(_ sample: Sample, profile: [String: String] = [:]) -> Prompt {
    prompt(sample, profile: profile, reserving: min(Self.replyReserve, maxLength / 4))
  }

  /// A prompt that leaves room for `reserving` more tokens.
  ///
  /// One that is too long keeps its head, which names the user, and its end, which asks: what is cut is the beginning of
  /// the context (its oldest part), or of the query where there is no context.
  func prompt(_ sample: Sample, profile: [String: String], reserving: Int) -> Prompt {
    let leading = tokenizer.leadingSpecials
    let text = tokenizer.encode(templates.promptText(sample, profile: profile), addSpecialTokens: false)
    let room = max(2, maxLength - leading.count - reserving)
    guard text.count > room else { return Prompt(ids: leading + text, tokens: leading.count + text.count, cut: 0) }
    let head = tokenizer.encode(templates.promptHead(sample, profile: profile), addSpecialTokens: false).count
    // A head of more than half the room is cut too, for the question must stay.
    let first = min(head, room / 2)
    return Prompt(
      ids: leading + text.prefix(first) + text.suffix(room - first), tokens: leading.count + text.count,
      cut: text.count - room)
  }

  /// A prompt with the response that is wanted, with what both lost.
  package struct Answer: Sendable {
    package var example: TrainingExample
    package var prompt: Prompt
    /// Tokens of the response and its end token, and how many were cut off at its end.
    package var response: (tokens: Int, cut: Int)
  }

  /// Stage 2 and evaluation: prompt and response, loss on the response and the end token.
  package func answer(_ sample: Sample, profile: [String: String] = [:]) -> Answer {
    // Half of the length at least belongs to the prompt: a response beyond it loses its end.
    let full = tokenizer.encode(templates.responseText(sample), addSpecialTokens: false) + [endToken]
    let response = Array(full.prefix(maxLength / 2))
    let prompt = prompt(sample, profile: profile, reserving: response.count)
    return Answer(
      example: Self.example(prompt.ids + response, labelledFrom: prompt.ids.count), prompt: prompt,
      response: (full.count, full.count - response.count))
  }

  /// The example of `answer`.
  package func responseExample(_ sample: Sample, profile: [String: String] = [:]) -> TrainingExample {
    answer(sample, profile: profile).example
  }

  private static func example(_ ids: [Int32], labelledFrom first: Int) -> TrainingExample {
    let numbers = ids.map(Int.init)
    return TrainingExample(
      ids: numbers, labels: [Int](repeating: TrainingExample.ignored, count: first) + numbers[first...])
  }

  /// The bare reply in generated ids.
  package func reply(_ ids: [Int32]) throws -> String {
    templates.bareReply(try tokenizer.decode(ids, skipSpecialTokens: true))
  }
}
