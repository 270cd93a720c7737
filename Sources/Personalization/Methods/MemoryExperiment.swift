// MiLP: Zhang, Kang, Zhao, Liu, "Personalized LLM response generation with parameterized user memory injection", 2024.
//
//   θ = (α, n, r)   which layers hold memory, parallel LoRAs per matrix, rank of each
//   stage 1         memory injection: next-user-content prediction over the users' histories, LoRA on the feed-forward
//   stage 2         instruction tuning: query → response, loss on the response
//
// A trial of the search is stage 1 with θ, then validation cross-entropy and ROUGE-L of greedy replies.

import BayesianOptimization
import Foundation
import LanguageModel
import MemoryRecipe

/// Trains and measures memories on one base and one dataset; the base stays resident between trials.
///
/// Not for concurrent use: one trial at a time.
package final class MemoryExperiment {
  /// Everything that is made of the records before the base is trained.
  package let data: PreparedData
  package var dataset: Dataset { data.dataset }
  package var split: DatasetSplit { data.split }
  package var recipe: TrialRecipe { data.recipe }
  package let model: CausalLanguageModel
  package var builder: ExampleBuilder { data.builder }
  /// What its caller knows about base, data and study; travels in the sidecar of every adapter that is written.
  package var provenance = MemoryProvenance()
  /// Layers of the base.
  package var layerCount: Int { model.configuration.layerCount }

  /// Stage 1's examples.
  var memoryExamples: [TrainingExample] { data.memoryExamples }
  /// Stage 2's examples.
  var instructionExamples: [TrainingExample] { data.instructionExamples }
  private var parts: [SplitPart: PreparedPart] = [:]

  /// Loads the base (a Hugging Face directory) and prepares the data.
  ///
  /// - Parameters:
  ///   - policy: how samples are divided.
  ///   - injectTestUserHistory: with user-disjoint splits, whether users without training samples have their histories
  ///     injected too; default true, for a memory that never saw a user can not know him.
  ///   - backend: where the model computes.
  /// - Throws: `DatasetError`, `ModelFileError`, `BackendError`.
  package init(
    base: URL, dataset: Dataset, split policy: SplitPolicy, recipe: TrialRecipe, injectTestUserHistory: Bool = true,
    backend: any Backend
  ) throws {
    let checkpoint = try Checkpoint(base)
    data = try PreparedData(
      dataset, split: policy, recipe: recipe, injectTestUserHistory: injectTestUserHistory,
      tokenizer: Tokenizer(directory: base), model: checkpoint.configuration)
    model = try CausalLanguageModel(checkpoint, backend: backend)
  }

  /// Numbers that θ trains.
  package func trainableParameters(_ configuration: Configuration) throws -> Int {
    configuration.isNull ? 0 : try recipe.plan(configuration).parameterCount(for: model.configuration)
  }

  /// Tokens of one epoch of stage 1.
  package var memoryTokens: Int { memoryExamples.reduce(0) { $0 + $1.ids.count } }

  func prepared(_ part: SplitPart) -> PreparedPart {
    if let known = parts[part] { return known }
    let made = PreparedPart(part, of: data)
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

  init(_ part: SplitPart, of data: PreparedData) {
    samples = data.measured(part)
    examples = samples.map { data.answer($0).example }
    prompts = samples.map { data.prompt($0) }
    scorer = ReplyScorer(
      dataset: data.dataset, visible: data.visible, samples: samples, rouge: data.recipe.evaluation.rouge)
  }
}
