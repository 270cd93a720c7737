import Foundation
import Foundations
import LanguageModel

/// The quickstart's base: a small model that knows the cohort's language and habits of line, and none of its people.
package enum QuickstartBase {
  /// Raised whenever what the same inputs give changes.
  private static let version = 1
  /// Where the cache keeps it.
  package static let kind = "bases"
  /// Share of its own training users' facts that a base must know; below, memory does not take hold in it either.
  package static let requiredRecall = 0.95

  /// Room on the disk that is needed while it is made, in bytes.
  ///
  /// 16 MiB: the base takes 6, and each file is written beside its name first.
  static let neededBytes = 16 << 20

  /// How it is trained.
  package static let recipe = Pretraining(
    layers: 6, width: 128, heads: 4, vocabulary: 1024, length: 64, documents: .lines, epochs: 8, batch: 48,
    learningRate: 3e-3, weightDecay: 0.01, beta2: 0.98)

  /// Names the base of a cohort by content: text, recipe, seed.
  package static func key(cohort: QuickstartCohort, seed: UInt64, recipe: Pretraining = recipe) -> String {
    var hash = SHA256()
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    // A struct of numbers and strings always encodes.
    hash.update((try? encoder.encode(recipe)) ?? Data())
    hash.update("version \(version) seed \(seed)\n")
    for line in cohort.pretrainingLines { hash.update(line + "\n") }
    return hash.digest.prefix(16).hexadecimal
  }

  /// The base's folder, from the cache or newly trained (at most two minutes on two cores).
  ///
  /// - Parameters:
  ///   - seed: of weights and order.
  ///   - backend: made only if there is something to train.
  ///   - waiting: called when another process is training the same base.
  package static func make(
    cohort: QuickstartCohort, seed: UInt64, recipe: Pretraining = recipe, cache: BuildCache = .standard(),
    backend: () throws -> any Backend, waiting: () -> Void = {},
    progress: @escaping (Pretraining.Progress) -> Void = { _ in }, isCancelled: @escaping () -> Bool = { false }
  ) throws -> URL {
    try cache.folder(
      kind: kind, key: key(cohort: cohort, seed: seed, recipe: recipe), bytes: neededBytes, waiting: waiting,
      isCancelled: isCancelled
    ) { directory in
      try recipe.run(
        cohort.pretrainingLines, seed: seed, to: directory, backend: backend(),
        accept: { model, tokenizer in
          let recall = try recall(of: model, tokenizer, samples: cohort.recallSamples)
          return PretrainingCheck(
            passed: recall >= requiredRecall,
            note:
              "it recalls \(String(format: "%.2f", recall)) of its training users' facts, \(requiredRecall) is needed")
        }, progress: progress, isCancelled: isCancelled)
    }
  }

  /// Fact recall on questions to users of the pretraining text, a fraction.
  static func recall(of model: CausalLanguageModel, _ tokenizer: Tokenizer, samples: Dataset) throws -> Double {
    let builder = try ExampleBuilder(
      tokenizer: tokenizer, templates: .quickstart, maxLength: model.configuration.maximumLength)
    let prompts = samples.samples.map { builder.prompt($0).ids.map(Int.init) }
    let replies = try model.generate(prompts, options: GenerationOptions(maximumNewTokens: 24))
    let facts = FactRecall(users: samples.users)
    let scores = try zip(samples.samples, replies).compactMap { sample, reply in
      facts.score(reply: try builder.reply(reply.ids.map(Int32.init)), sample: sample)
    }
    return Estimate(scores).mean
  }
}
