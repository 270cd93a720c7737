import BayesianOptimization

/// Everything that a study's YAML file says, checked and with its defaults filled in.
///
/// Plain data: coordinator, worker and command line read the same value. Keys are documented in `configs/README.md`.
public struct StudyConfiguration: Codable, Equatable, Sendable {
  /// The study's name; the default is the file's stem.
  public var name: String
  /// The seed of everything random in the study.
  public var seed: UInt64
  /// Finished trials after which the search ends (the un-injected base is measured beside it and not counted).
  public var budget: Int
  public var limits: Limits
  public var space: SpaceSection
  public var objectives: [Objective]
  public var sampler: SamplerSettings
  public var evaluator: EvaluatorSection
  public var base: BaseSection
  public var data: DataSection
  public var memory: MemorySection
  public var training: TrainingSection
  public var instructionTuning: InstructionTuningSection
  public var evaluation: EvaluationSection
  public var coordinator: CoordinatorSection
  public var artifacts: ArtifactsSection

  /// Reasons to stop before the budget is spent.
  public struct Limits: Codable, Equatable, Sendable {
    /// Wall-clock seconds of searching; nil = no limit.
    public var seconds: Double?
  }

  /// The search space: the paper's (layers, count, ranks) or named factors.
  public struct SpaceSection: Codable, Equatable, Sendable {
    /// Layers of the base, L; nil = taken from the base.
    public var layers: Int?
    public var minimumCount: Int
    public var maximumCount: Int
    public var ranks: [Int]
    public var placement: Placement
    /// Active layers when they are not searched.
    public var fixedLayers: [Int]?
    /// Largest number of trainable parameters of a valid configuration; nil = no guard.
    public var maximumTrainable: Int?
    /// Largest effective rank (n·r) of one matrix; nil = no guard.
    public var maximumEffectiveRank: Int?
    public var dedupeByEffectiveRank: Bool
    /// Named factors of a generic space; when present, the keys above are unused.
    public var factors: [Factor]?
  }

  /// What a worker runs for a trial.
  public struct EvaluatorSection: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable { case memory, command, analytic }
    public var kind: Kind
    /// The analytic problem's name.
    public var problem: String?
    /// Seconds that an analytic trial takes.
    public var seconds: Double
    /// Standard deviation of noise that is added to each analytic objective, by name.
    public var noise: [String: Double]
    /// Program and arguments of the command evaluator; read from the worker's own copy of the file.
    public var command: [String]?
  }

  public struct BaseSection: Codable, Equatable, Sendable {
    /// A Hugging Face directory; nil = the built-in quickstart base.
    public var path: String?
    public var precision: Precision
    /// Seed of the quickstart base's text, initial weights and batches.
    public var quickstartSeed: UInt64
  }

  public enum Precision: String, Codable, CaseIterable, Sendable { case automatic, f32, bf16 }

  public struct DataSection: Codable, Equatable, Sendable {
    public enum Split: String, Codable, CaseIterable, Sendable { case given, withinUser, userDisjoint }
    /// users.jsonl and samples.jsonl; nil = the built-in quickstart cohort.
    public var users: String?
    public var samples: String?
    public var split: Split
    public var injectTestUserHistory: Bool
    public var templates: [String: String]
    public var quickstart: QuickstartCohort
  }

  /// The generated cohort of the quickstart.
  public struct QuickstartCohort: Codable, Equatable, Sendable {
    public enum Mode: String, Codable, CaseIterable, Sendable { case dialogues, posts }
    public var seed: UInt64
    public var users: Int
    public var mode: Mode
  }

  public struct MemorySection: Codable, Equatable, Sendable {
    public enum Aggregate: String, Codable, CaseIterable, Sendable { case sum, mean, rsqrt }
    /// LoRA alpha; nil = the rank (scale 1).
    public var alpha: Double?
    public var aggregate: Aggregate
    /// Feed-forward matrices that carry memory, by role: up, down, gate.
    public var targets: [String]
  }

  /// Stage 1: memory injection.
  public struct TrainingSection: Codable, Equatable, Sendable {
    public enum Schedule: String, Codable, CaseIterable, Sendable { case linear, cosine }
    public var epochs: Int
    /// Epochs when the winner is trained again for the comparison; nil = `epochs`.
    public var finalEpochs: Int?
    public var batch: Int
    public var learningRate: Double
    public var weightDecay: Double
    /// Share of the steps that warm up.
    public var warmup: Double
    public var schedule: Schedule
    /// Largest gradient norm; 0 = no clipping.
    public var clip: Double
    /// Tokens of one training example; nil = what the base allows, at most 768.
    public var maximumLength: Int?
    /// Earlier history items shown before the one that is predicted.
    public var window: Int
    /// Whether the loss counts the shown items too.
    public var labelContext: Bool
  }

  /// Stage 2: instruction tuning.
  public struct InstructionTuningSection: Codable, Equatable, Sendable {
    public enum Mode: String, Codable, CaseIterable, Sendable { case sameMemory, freshAdapter, none }
    public var mode: Mode
    public var epochs: Int
    public var batch: Int
    public var learningRate: Double
    /// Rank and alpha of the fresh adapter; alpha nil = the rank.
    public var rank: Int
    public var alpha: Double?
    /// Stage 2 before every trial is measured, too.
    public var duringSearch: Bool
  }

  public struct EvaluationSection: Codable, Equatable, Sendable {
    /// Largest number of generated tokens per reply.
    public var maximumNewTokens: Int
    /// Samples of a part that are answered, evenly spread; nil = all.
    public var samples: Int?
    /// Replies generated at a time.
    public var batch: Int
    /// Porter-stem words for ROUGE.
    public var stemmer: Bool
    /// ROUGE keeps letters of all scripts; nil = a-z and 0-9 only, as the reference does.
    public var unicode: Bool?
  }

  public struct CoordinatorSection: Codable, Equatable, Sendable {
    public var heartbeatSeconds: Double
    public var leaseSeconds: Double
    /// Seconds without progress after which a worker replaces its trainer.
    public var watchdogSeconds: Double
    /// Largest number of counted attempts of one trial.
    public var attempts: Int
    /// Failures of a worker in a row, while others succeed, after which it gets no more trials; nil = 8.
    public var quarantine: Int?
    /// Seconds without progress after which a trial is taken from a worker that gives signs of life; nil = no limit.
    public var stallSeconds: Double?
  }

  public struct ArtifactsSection: Codable, Equatable, Sendable {
    public enum Keep: String, Codable, CaseIterable, Sendable { case none, front, all }
    public var keep: Keep
    /// Bytes that the artifacts of the study may take together; nil for the coordinator's default.
    public var limitBytes: Int?
  }
}
