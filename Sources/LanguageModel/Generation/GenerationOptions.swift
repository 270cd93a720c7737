/// How to continue prompts.
public struct GenerationOptions: Sendable, Hashable {
  /// How the next token is chosen.
  public enum Choice: Sendable, Hashable {
    /// The most likely token, the lowest id among equals.
    case greedy
    /// A random token after dividing logits by `temperature`, among the `topK` most likely (nil: all) and then among
    /// the fewest that together reach probability `topP` (nil: all). Each prompt draws from a stream of its own, so
    /// that its text does not depend on what else is in the batch.
    case sample(temperature: Double, topK: Int?, topP: Double?, seed: UInt64)
  }

  /// Most tokens that are added to a prompt.
  public var maximumNewTokens: Int
  /// Generation stops after one of these; nil = the model's own end tokens.
  public var stopIDs: Set<Int>?
  /// How the next token is chosen.
  public var choice: Choice
  /// Most prompts that are continued at the same time; nil = by memory, at most 64.
  public var batchSize: Int?

  /// Options; greedy by default.
  public init(
    maximumNewTokens: Int = 64, stopIDs: Set<Int>? = nil, choice: Choice = .greedy, batchSize: Int? = nil
  ) {
    self.maximumNewTokens = maximumNewTokens
    self.stopIDs = stopIDs
    self.choice = choice
    self.batchSize = batchSize
  }
}

/// A continuation.
public struct Generation: Sendable, Hashable {
  /// Why it ended.
  public enum End: String, Sendable {
    /// A stop token came; it is the last of `ids`.
    case stop
    /// The wanted number of tokens is there.
    case length
    /// The model's longest sequence is reached.
    case context
  }
  /// New tokens only, the stop token included.
  public var ids: [Int]
  /// Why it ended.
  public var end: End

  /// A continuation that ended.
  public init(ids: [Int], end: End) {
    self.ids = ids
    self.end = end
  }
}

/// A request for generation that cannot be served.
public struct GenerationError: Error, CustomStringConvertible, Sendable {
  /// What kind of problem it is; new kinds may be added.
  public struct Code: Sendable, Hashable {
    private let name: String
    /// A prompt does not fit the model.
    public static let invalidPrompt = Code(name: "invalidPrompt")
    /// Options make no sense.
    public static let invalidOptions = Code(name: "invalidOptions")
    /// The logits hold numbers that are infinite or none: there is no most likely token.
    public static let notFinite = Code(name: "notFinite")
    /// The task was cancelled.
    public static let cancelled = Code(name: "cancelled")
  }
  /// The kind of problem.
  public let code: Code
  /// What is wrong, and where.
  public let message: String
  /// The message.
  public var description: String { message }

  /// An error of a kind, in words.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
