// MiLP: Zhang, Kang, Zhao, Liu, "Personalized LLM response generation with parameterized user memory injection", 2024.
//
//   θ = (α, n, r)   which layers hold memory, parallel LoRAs per matrix, rank of each
//   stage 1         memory injection: next-user-content prediction over the users' histories, LoRA on the feed-forward
//   stage 2         instruction tuning: query → response, loss on the response
//
// A trial of the search is stage 1 with θ, then validation cross-entropy and ROUGE-L of greedy replies.

import Foundation
import LanguageModel

/// Trains and measures memories on one base and one dataset; the base stays resident between trials.
///
/// Not for concurrent use: one trial at a time.
public final class MemoryExperiment {
  public let dataset: Dataset
  public let split: DatasetSplit
  public let recipe: MemoryRecipe
  public let model: CausalLanguageModel
  public let builder: ExampleBuilder
  /// What its caller knows about base, data and study; travels in the sidecar of every adapter that is written.
  public var provenance = MemoryProvenance()
  /// Layers of the base, the length of α.
  public var layerCount: Int { model.configuration.layerCount }

  /// Users with what of their histories may enter a memory.
  let visible: [User]
  /// Stage 1's examples.
  let memoryExamples: [TrainingExample]
  /// Stage 2's examples.
  let instructionExamples: [TrainingExample]
  private var parts: [SplitPart: PreparedPart] = [:]

  /// Loads the base (a Hugging Face directory) and prepares the data.
  ///
  /// - Parameters:
  ///   - policy: how samples are divided.
  ///   - injectTestUserHistory: with user-disjoint splits, whether users without training samples have their histories
  ///     injected too; default true, for a memory that never saw a user can not know him.
  ///   - backend: where the model computes.
  /// - Throws: `DatasetError`, `ModelFileError`, `BackendError`.
  public init(
    base: URL, dataset: Dataset, split policy: SplitPolicy, recipe: MemoryRecipe, injectTestUserHistory: Bool = true,
    backend: any Backend
  ) throws {
    let checkpoint = try Checkpoint(base)
    let tokenizer = try Tokenizer(directory: base)
    self.dataset = dataset
    self.recipe = recipe
    split = try dataset.split(policy)
    model = try CausalLanguageModel(checkpoint, backend: backend)
    let longest = model.configuration.maximumLength
    builder = try ExampleBuilder(
      tokenizer: tokenizer, templates: recipe.templates,
      maxLength: min(longest, recipe.training.maxLength ?? min(longest, 768)))
    visible = dataset.visibleHistories(split, policy: policy, injectTestUsers: injectTestUserHistory)
    memoryExamples = visible.flatMap { [builder] in
      builder.memoryExamples($0, window: recipe.training.window, labelContext: recipe.training.labelContext)
    }
    instructionExamples = split.train.map { [builder] in builder.responseExample(dataset.samples[$0]) }
    guard !memoryExamples.isEmpty else {
      throw DatasetError(
        .empty, "no user has a history, so there is nothing to remember; fill \"history\" in users.jsonl")
    }
    // A wrong target or placement should stop a study before its first trial.
    _ = try plan(
      MemoryConfiguration(layers: Array(repeating: 1, count: layerCount), count: 1, rank: 1)
    ).modules(for: model.configuration)
  }

  /// Numbers that θ trains.
  public func trainableParameters(_ configuration: MemoryConfiguration) throws -> Int {
    configuration.isNull ? 0 : try plan(configuration).parameterCount(for: model.configuration)
  }

  /// Tokens of one epoch of stage 1.
  public var memoryTokens: Int { memoryExamples.reduce(0) { $0 + $1.ids.count } }

  func plan(_ configuration: MemoryConfiguration) throws -> AdapterPlan {
    guard configuration.layers.count == layerCount else {
      throw DatasetError(
        .malformed,
        "the configuration has \(configuration.layers.count) layer switches, the base has \(layerCount) layers; set "
          + "space.layers to \(layerCount)")
    }
    return AdapterPlan(
      layers: configuration.activeLayers, count: configuration.count, rank: configuration.rank,
      alpha: recipe.memory.alpha, placement: recipe.memory.placement, aggregate: recipe.memory.aggregate,
      targets: recipe.memory.targets.isEmpty ? ["up", "down"] : recipe.memory.targets)
  }

  func prepared(_ part: SplitPart) -> PreparedPart {
    if let known = parts[part] { return known }
    let made = PreparedPart(
      samples: Self.spread(split[part], limit: recipe.evaluation.samples).map { dataset.samples[$0] },
      dataset: dataset, visible: visible, builder: builder, evaluation: recipe.evaluation)
    parts[part] = made
    return made
  }

  /// At most `limit` of the positions, evenly spread.
  static func spread(_ positions: [Int], limit: Int?) -> [Int] {
    guard let limit, limit < positions.count else { return positions }
    return (0..<limit).map { positions[$0 * positions.count / limit] }
  }
}

/// The samples of one part, ready to be measured.
struct PreparedPart {
  let samples: [Sample]
  /// Prompt and response, loss on the response.
  let examples: [TrainingExample]
  let prompts: [[Int]]
  let scorer: ReplyScorer

  init(
    samples: [Sample], dataset: Dataset, visible: [User], builder: ExampleBuilder, evaluation: MemoryRecipe.Evaluation
  ) {
    self.samples = samples
    examples = samples.map { builder.responseExample($0) }
    prompts = samples.map { builder.prompt($0, reserving: evaluation.maxNewTokens).map(Int.init) }
    scorer = ReplyScorer(dataset: dataset, visible: visible, samples: samples, stemmer: evaluation.stemmer)
  }
}
