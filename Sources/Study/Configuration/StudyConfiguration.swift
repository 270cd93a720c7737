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
  public var objectives: [ObjectiveSection]
  public var sampler: SamplerSection
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
    /// Stop when the relative gain in hypervolume over the last `convergenceWindow` trials is below this; nil = never.
    public var convergence: Double?
    public var convergenceWindow: Int
  }

  /// The search space: the paper's (layers, count, ranks) or named factors.
  public struct SpaceSection: Codable, Equatable, Sendable {
    /// Layers of the base, L; nil = taken from the base.
    public var layers: Int?
    public var minimumCount: Int
    public var maximumCount: Int
    public var ranks: [Int]
    public var placement: Placement
    /// Factors that are not searched.
    public var fixedLayers: [Int]?
    public var fixedCount: Int?
    public var fixedRank: Int?
    /// Largest number of trainable parameters of a valid configuration; nil = no guard.
    public var maximumTrainable: Int?
    public var dedupeByEffectiveRank: Bool
    /// Named factors of a generic space; when present, the keys above are unused.
    public var factors: [FactorSection]?
  }

  public enum Placement: String, Codable, CaseIterable, Sendable { case perLayer, total, onePerLayer }

  /// A named factor of a generic space.
  public struct FactorSection: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable { case `switch`, integer, ordinal, categorical }
    public var name: String
    public var kind: Kind
    /// Bounds of an integer.
    public var minimum: Int?
    public var maximum: Int?
    /// Numbers of an ordinal factor, ascending.
    public var values: [Double]?
    /// Names of a categorical factor.
    public var categories: [String]?
  }

  public struct ObjectiveSection: Codable, Equatable, Sendable {
    public enum Direction: String, Codable, CaseIterable, Sendable { case minimize, maximize }
    public var name: String
    public var direction: Direction
    /// Reference value for the hypervolume, in the objective's own unit; nil = inferred.
    public var reference: Double?
  }

  public struct SamplerSection: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable {
      case saasNEHVI = "saas-nehvi"
      case random, sobol, nsga2
    }
    public enum Design: String, Codable, CaseIterable, Sendable { case sobol, random }
    public enum OutcomeTransform: String, Codable, CaseIterable, Sendable { case standardize, copula }
    public enum LengthscalePrior: String, Codable, CaseIterable, Sendable { case saas, logNormal }
    public var kind: Kind
    /// Points of the initial design.
    public var initial: Int
    public var design: Design
    /// Name of the sampling schedule: default, nuts, botorch, autopeft, timings.
    public var schedule: String
    public var outcomeTransform: OutcomeTransform
    public var lengthscalePrior: LengthscalePrior
    /// Whether observed standard errors enter the noise model.
    public var useStandardErrors: Bool
    /// Acquisition evaluations per proposal.
    public var evaluations: Int
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

  public struct TrainingSection: Codable, Equatable, Sendable {
    public var epochs: Int
    public var batch: Int
    public var learningRate: Double
    public var weightDecay: Double
    /// Share of the steps that warm up.
    public var warmup: Double
    /// Largest gradient norm; 0 = no clipping.
    public var clip: Double
    /// Tokens of one training line; nil = what the base allows.
    public var maximumLength: Int?
    /// Earlier history items shown before the one that is predicted.
    public var window: Int
  }

  public struct InstructionTuningSection: Codable, Equatable, Sendable {
    public enum Mode: String, Codable, CaseIterable, Sendable { case sameMemory, freshAdapter }
    public var mode: Mode
    public var epochs: Int
    public var batch: Int
    public var learningRate: Double
    public var weightDecay: Double
    public var warmup: Double
    public var clip: Double
    /// Rank and alpha of the fresh adapter.
    public var rank: Int
    public var alpha: Double?
  }

  public struct EvaluationSection: Codable, Equatable, Sendable {
    /// Largest number of generated tokens per reply.
    public var maximumNewTokens: Int
    /// Validation samples per trial; nil = all.
    public var validationSamples: Int?
    /// Share of stage 2's steps trained before a trial is measured; 0 = stage 1 only.
    public var briefInstructionTuning: Double
  }

  public struct CoordinatorSection: Codable, Equatable, Sendable {
    public var heartbeatSeconds: Double
    public var leaseSeconds: Double
    /// Seconds without progress after which a worker replaces its trainer.
    public var watchdogSeconds: Double
    /// Largest number of counted attempts of one trial.
    public var attempts: Int
  }

  public struct ArtifactsSection: Codable, Equatable, Sendable {
    public enum Keep: String, Codable, CaseIterable, Sendable { case none, front, all }
    public var keep: Keep
  }
}
