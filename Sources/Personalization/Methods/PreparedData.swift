import LanguageModel
import MemoryRecipe

/// The records of a study as token sequences: everything that happens to the data before the base is needed.
///
/// Made from the tokenizer and the base's configuration alone, so that a study's data can be checked and shown before
/// anything is loaded or trained.
package struct PreparedData: Sendable {
  /// Examples are no longer than this where `training.maxLength` says nothing and the base takes more.
  package static let defaultMaximumLength = 768

  package let dataset: Dataset
  package let policy: SplitPolicy
  package let split: DatasetSplit
  package let recipe: TrialRecipe
  package let builder: ExampleBuilder
  /// Users with what of their histories may enter a memory.
  package let visible: [User]
  /// Stage 1's examples.
  package let memoryExamples: [TrainingExample]
  /// Stage 2's examples.
  package let instructionExamples: [TrainingExample]
  /// What did not fit.
  package let cuts: DataCuts

  /// - Parameters:
  ///   - policy: how samples are divided.
  ///   - injectTestUserHistory: see `MemoryExperiment`.
  ///   - model: the base's configuration: its length, its vocabulary, its matrices.
  /// - Throws: `DatasetError`, `AdapterError`: nothing to learn, a token that the base does not know (with its record),
  ///   templates that cannot be filled, LoRAs that the base cannot carry.
  package init(
    _ dataset: Dataset, split policy: SplitPolicy, recipe: TrialRecipe, injectTestUserHistory: Bool = true,
    tokenizer: Tokenizer, model: ModelConfiguration
  ) throws {
    self.dataset = dataset
    self.policy = policy
    self.recipe = recipe
    split = try dataset.split(policy)
    let longest = model.maximumLength
    builder = try ExampleBuilder(
      tokenizer: tokenizer, templates: recipe.templates,
      maxLength: min(longest, recipe.training.maxLength ?? Self.defaultMaximumLength))
    visible = dataset.visibleHistories(split, policy: policy, injectTestUsers: injectTestUserHistory)
    var tally = Tally(builder, baseLength: longest, vocabulary: model.vocabularySize)
    memoryExamples = try visible.flatMap { try tally.memory($0, recipe.training) }
    guard !memoryExamples.isEmpty else {
      throw DatasetError(
        .empty, "no user has a history, so there is nothing to remember; fill \"history\" in users.jsonl")
    }
    instructionExamples = try split.train.map {
      try tally.answer(dataset.samples[$0], dataset.user(of: dataset.samples[$0])).example
    }
    for part in [SplitPart.validation, .test] {
      for position in Self.measured(split[part], recipe) {
        _ = try tally.answer(dataset.samples[position], dataset.user(of: dataset.samples[position]))
      }
    }
    cuts = tally.cuts
    // A wrong target, placement or rank should stop a study before its first trial, also one of the end's adapter.
    _ = try recipe.plan(.memory(layers: 0..<model.layerCount, count: 1, rank: 1)).modules(for: model)
    _ = try recipe.freshPlan(layerCount: model.layerCount)?.modules(for: model)
  }

  /// Samples of a part that are answered: all, or `evaluation.samples` of them.
  package func measured(_ part: SplitPart) -> [Sample] {
    Self.measured(split[part], recipe).map { dataset.samples[$0] }
  }

  private static func measured(_ positions: [Int], _ recipe: TrialRecipe) -> [Int] {
    MemoryExperiment.spread(positions, limit: recipe.evaluation.samples)
  }

  /// What the model is given for a sample, with the profile of its user where he is known.
  package func prompt(_ sample: Sample) -> [Int] {
    builder.prompt(sample, profile: profile(of: sample)).ids.map(Int.init)
  }

  /// The prompt of a sample with the response that is wanted.
  package func answer(_ sample: Sample) -> ExampleBuilder.Answer {
    builder.answer(sample, profile: profile(of: sample))
  }

  private func profile(of sample: Sample) -> [String: String] {
    dataset.userIndex[sample.user].map { dataset.users[$0].profile } ?? [:]
  }
}

/// Counts cuts and looks for tokens that the base has no embedding for.
private struct Tally {
  let builder: ExampleBuilder
  let vocabulary: Int
  var cuts: DataCuts

  init(_ builder: ExampleBuilder, baseLength: Int, vocabulary: Int) {
    self.builder = builder
    self.vocabulary = vocabulary
    cuts = DataCuts(maxLength: builder.maxLength, baseLength: baseLength)
  }

  mutating func memory(_ user: User, _ training: TrialRecipe.Training) throws -> [TrainingExample] {
    let pieces = builder.memoryPieces(user, window: training.window, labelContext: training.labelContext)
    for piece in pieces {
      try check(piece.example) {
        piece.item.map { "item \($0 + 1) of the history of user \"\(user.id)\"" }
          ?? "the profile of user \"\(user.id)\""
      }
      cuts.history.add(tokens: piece.content.tokens, cut: piece.content.cut)
      if piece.missingContext > 0 { cuts.shortWindows += 1 }
    }
    return pieces.map(\.example)
  }

  mutating func answer(_ sample: Sample, _ user: User) throws -> ExampleBuilder.Answer {
    let answer = builder.answer(sample, profile: user.profile)
    let prompt = builder.prompt(sample, profile: user.profile)
    try check(answer.example) { "sample \"\(sample.id)\" of user \"\(sample.user)\"" }
    // The measured loss and the reply see different cuts of one prompt; the larger one is counted.
    cuts.prompts.add(tokens: prompt.tokens, cut: max(prompt.cut, answer.prompt.cut))
    cuts.responses.add(tokens: answer.response.tokens, cut: answer.response.cut)
    return answer
  }

  private func check(_ example: TrainingExample, _ place: () -> String) throws {
    guard let id = example.ids.first(where: { $0 >= vocabulary }) else { return }
    let tokenizer = builder.tokenizer
    let token = tokenizer.token(Int32(id)) ?? "?"
    throw DatasetError(
      .malformed,
      "\(place()) holds the token \"\(token)\" (id \(id)), for which the base has no embedding: its tokenizer has "
        + "\(tokenizer.vocabularySize) tokens, the model \(vocabulary). Resize the model's embeddings "
        + "(resize_token_embeddings in Transformers), or take the token out of tokenizer.json")
  }
}
