/// A token sequence with the tokens whose prediction counts.
public struct TrainingExample: Sendable, Hashable {
  /// Token ids.
  public var ids: [Int]
  /// One per id: the id itself where its prediction counts, −100 elsewhere.
  ///
  /// The label at position t is predicted from the tokens before t (the shift happens inside, as in the reference); the
  /// first label never counts.
  public var labels: [Int]

  /// Label of tokens that do not count.
  public static let ignored = -100

  /// Token ids with one label each.
  public init(ids: [Int], labels: [Int]) {
    self.ids = ids
    self.labels = labels
  }

  /// A prompt that is only read and a response that is to be predicted.
  public init(prompt: [Int], response: [Int]) {
    self.init(
      ids: prompt + response, labels: [Int](repeating: Self.ignored, count: prompt.count) + response)
  }

  /// A text of which every token but the first is predicted.
  public init(text ids: [Int]) {
    self.init(ids: ids, labels: ids)
  }

  /// Number of predicted tokens.
  public var labelCount: Int { labels.dropFirst().reduce(0) { $0 + ($1 == Self.ignored ? 0 : 1) } }

  /// Throws `TrainingError` (`invalidExample`) unless the example fits the model.
  func validate(index: Int, for model: ModelConfiguration, needsLabels: Bool) throws {
    func refuse(_ reason: String) -> TrainingError {
      TrainingError(.invalidExample, "example \(index): \(reason)")
    }
    guard ids.count == labels.count else { throw refuse("\(ids.count) ids but \(labels.count) labels") }
    guard !ids.isEmpty else { throw refuse("it has no tokens") }
    guard ids.count <= model.maximumLength else {
      throw refuse("\(ids.count) tokens, the model takes at most \(model.maximumLength); shorten it")
    }
    if let id = ids.first(where: { $0 < 0 || $0 >= model.vocabularySize }) {
      throw refuse("token id \(id) is outside the vocabulary of \(model.vocabularySize)")
    }
    if let label = labels.first(where: { $0 != Self.ignored && ($0 < 0 || $0 >= model.vocabularySize) }) {
      throw refuse("label \(label) is neither −100 nor in the vocabulary of \(model.vocabularySize)")
    }
    if needsLabels, labelCount == 0 { throw refuse("no token after the first is labelled, so nothing can be learnt") }
  }
}

/// A training run that cannot start or go on.
public struct TrainingError: Error, CustomStringConvertible, Sendable {
  /// What kind of problem it is; new kinds may be added.
  public struct Code: Sendable, Hashable {
    private let name: String
    /// An example does not fit the model.
    public static let invalidExample = Code(name: "invalidExample")
    /// Options contradict each other or the model.
    public static let invalidOptions = Code(name: "invalidOptions")
    /// The loss or the gradient norm is no longer finite.
    public static let diverged = Code(name: "diverged")
    /// A saved training run does not belong to this one.
    public static let mismatch = Code(name: "mismatch")
  }
  /// The kind of problem.
  public let code: Code
  /// What is wrong, and where.
  public let message: String
  /// The optimizer step (from 0) where it happened, where there is one.
  public let step: Int?
  /// The message.
  public var description: String { message }

  /// An error of a kind, in words.
  public init(_ code: Code, _ message: String, step: Int? = nil) {
    self.code = code
    self.message = message
    self.step = step
  }
}
