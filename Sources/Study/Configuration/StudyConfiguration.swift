import BayesianOptimization

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
  package var memory: MemorySection
  package var training: TrainingSection
  package var instructionTuning: InstructionTuningSection
  package var evaluation: EvaluationSection
  package var coordinator: CoordinatorSection
  package var artifacts: ArtifactsSection

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
    package var maximumTrainable: Int?
    /// Largest effective rank (n·r) of one matrix; nil = no guard.
    package var maximumEffectiveRank: Int?
    package var dedupeByEffectiveRank: Bool
    /// Named factors of a generic space; when present, the keys above are unused.
    package var factors: [Factor]?
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

  package enum Precision: String, Codable, CaseIterable, Sendable { case automatic, f32, bf16 }

  package struct DataSection: Codable, Equatable, Sendable {
    package enum Split: String, Codable, CaseIterable, Sendable { case given, withinUser, userDisjoint }
    /// users.jsonl and samples.jsonl; nil = the built-in quickstart cohort.
    package var users: String?
    package var samples: String?
    package var split: Split
    package var injectTestUserHistory: Bool
    package var templates: [String: String]
    package var quickstart: QuickstartCohort
  }

  /// The generated cohort of the quickstart.
  package struct QuickstartCohort: Codable, Equatable, Sendable {
    package enum Mode: String, Codable, CaseIterable, Sendable { case dialogues, posts }
    package var seed: UInt64
    package var users: Int
    package var mode: Mode
  }

  package struct MemorySection: Codable, Equatable, Sendable {
    package enum Aggregate: String, Codable, CaseIterable, Sendable { case sum, mean, rsqrt }
    /// LoRA alpha; nil = the rank (scale 1).
    package var alpha: Double?
    package var aggregate: Aggregate
    /// Feed-forward matrices that carry memory, by role: up, down, gate.
    package var targets: [String]
  }

  /// Stage 1: memory injection.
  package struct TrainingSection: Codable, Equatable, Sendable {
    package enum Schedule: String, Codable, CaseIterable, Sendable { case linear, cosine }
    package var epochs: Int
    /// Epochs when the winner is trained again for the comparison; nil = `epochs`.
    package var finalEpochs: Int?
    package var batch: Int
    package var learningRate: Double
    package var weightDecay: Double
    /// Share of the steps that warm up.
    package var warmup: Double
    package var schedule: Schedule
    /// Largest gradient norm; 0 = no clipping.
    package var clip: Double
    /// Tokens of one training example; nil = what the base allows, at most 768.
    package var maximumLength: Int?
    /// Earlier history items shown before the one that is predicted.
    package var window: Int
    /// Whether the loss counts the shown items too.
    package var labelContext: Bool
  }

  /// Stage 2: instruction tuning.
  package struct InstructionTuningSection: Codable, Equatable, Sendable {
    package enum Mode: String, Codable, CaseIterable, Sendable { case sameMemory, freshAdapter, none }
    package var mode: Mode
    package var epochs: Int
    package var batch: Int
    package var learningRate: Double
    /// Rank and alpha of the fresh adapter; alpha nil = the rank.
    package var rank: Int
    package var alpha: Double?
    /// Stage 2 before every trial is measured, too.
    package var duringSearch: Bool
  }

  package struct EvaluationSection: Codable, Equatable, Sendable {
    /// Largest number of generated tokens per reply.
    package var maximumNewTokens: Int
    /// Samples of a part that are answered, evenly spread; nil = all.
    package var samples: Int?
    /// Replies generated at a time.
    package var batch: Int
    /// Porter-stem words for ROUGE.
    package var stemmer: Bool
    /// ROUGE keeps letters of all scripts; nil = a-z and 0-9 only, as the reference does.
    package var unicode: Bool?
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
