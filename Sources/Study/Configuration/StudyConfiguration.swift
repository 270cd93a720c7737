import BayesianOptimization
import MemoryRecipe

/// Everything that a study's YAML file says, checked and with its defaults filled in.
///
/// Plain data: coordinator, worker and command line read the same value. Keys are documented in `configs/README.md`.
package struct StudyConfiguration: Codable, Equatable, Sendable {
  /// The study's name; the default is the file's stem.
  package var name: String
  /// The seed of everything random in the study.
  package var seed: UInt64
  /// Finished trials after which the search ends (the un-injected base is measured beside it and not counted).
  package var budget: Int
  package var limits: Limits
  package var space: SpaceSection
  package var objectives: [Objective]
  package var sampler: SamplerSettings
  package var evaluator: EvaluatorSection
  package var base: BaseSection
  package var data: DataSection
  package var memory: TrialRecipe.Memory
  package var training: TrialRecipe.Training
  package var instructionTuning: TrialRecipe.InstructionTuning
  package var evaluation: TrialRecipe.Evaluation
  package var coordinator: CoordinatorSection
  package var artifacts: ArtifactsSection

  /// What every trial of the study has in common.
  ///
  /// - Parameter templates: the lines of the data with those that the file replaces.
  package func recipe(templates: Templates) -> TrialRecipe {
    TrialRecipe(
      placement: space.placement, memory: memory, training: training, instructionTuning: instructionTuning,
      evaluation: evaluation, templates: templates)
  }

  /// Reasons to stop before the budget is spent.
  package struct Limits: Codable, Equatable, Sendable {
    /// Wall-clock seconds of searching; nil = no limit.
    package var seconds: Double?
  }

  /// The search space: the paper's (layers, count, ranks) or named factors.
  package struct SpaceSection: Codable, Equatable, Sendable {
    /// Layers of the base, L; nil = taken from the base.
    package var layers: Int?
    package var minimumCount: Int
    package var maximumCount: Int
    package var ranks: [Int]
    package var placement: Placement
    /// Active layers when they are not searched.
    package var fixedLayers: [Int]?
    /// Largest number of trainable parameters of a valid configuration; nil = no guard.
    package var maxTrainable: Int?
    /// Largest effective rank (n·r) of one matrix; nil = no guard.
    package var maxEffectiveRank: Int?
    package var dedupeByEffectiveRank: Bool
    /// Named factors of a generic space; when present, the keys above are unused.
    package var factors: [Factor]?

    private enum CodingKeys: String, CodingKey {
      case layers, minimumCount, maximumCount, ranks, placement, fixedLayers, dedupeByEffectiveRank, factors
      case maxTrainable = "maximumTrainable"
      case maxEffectiveRank = "maximumEffectiveRank"
    }
  }

  /// What a worker runs for a trial.
  package struct EvaluatorSection: Codable, Equatable, Sendable {
    package enum Kind: String, Codable, CaseIterable, Sendable { case memory, command, analytic }
    package var kind: Kind
    /// The analytic problem's name.
    package var problem: String?
    /// Seconds that an analytic trial takes.
    package var seconds: Double
    /// Standard deviation of noise that is added to each analytic objective, by name.
    package var noise: [String: Double]
    /// Program and arguments of the command evaluator; read from the worker's own copy of the file.
    package var command: [String]?
  }

  package struct BaseSection: Codable, Equatable, Sendable {
    /// A Hugging Face directory; nil = the built-in quickstart base.
    package var path: String?
    package var precision: Precision
    /// Seed of the quickstart base's text, initial weights and batches.
    package var quickstartSeed: UInt64
  }

  package struct DataSection: Codable, Equatable, Sendable {
    /// users.jsonl and samples.jsonl; nil = the built-in quickstart cohort.
    package var users: String?
    package var samples: String?
    package var split: SplitMode
    package var injectTestUserHistory: Bool
    package var templates: [String: String]
    package var quickstart: CohortSettings
  }

  package struct CoordinatorSection: Codable, Equatable, Sendable {
    package var heartbeatSeconds: Double
    package var leaseSeconds: Double
    /// Seconds without progress after which a worker replaces its trainer.
    package var watchdogSeconds: Double
    /// Largest number of counted attempts of one trial.
    package var attempts: Int
    /// Failures of a worker in a row, while others succeed, after which it gets no more trials; nil = 8.
    package var quarantine: Int?
    /// Seconds without progress after which a trial is taken from a worker that gives signs of life; nil = no limit.
    package var stallSeconds: Double?
  }

  package struct ArtifactsSection: Codable, Equatable, Sendable {
    package enum Keep: String, Codable, CaseIterable, Sendable { case none, front, all }
    package var keep: Keep
    /// Bytes that the artifacts of the study may take together; nil for the coordinator's default.
    package var limitBytes: Int?
  }
}
