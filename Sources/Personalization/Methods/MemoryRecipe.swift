import LanguageModel

/// Everything about a trial that is the same for all configurations of a study.
///
/// Plain data; the defaults are the paper's where it states them (learning rate 5e-4, weight decay 1e-4, warm-up 10 %,
/// batch 8) and the decided ones elsewhere. The sections carry the names of the study file's sections.
package struct MemoryRecipe: Sendable, Codable, Equatable {
  package var memory: Memory
  /// Stage 1: memory injection.
  package var training: Training
  /// Stage 2: instruction tuning.
  package var instructionTuning: InstructionTuning
  package var evaluation: Evaluation
  package var templates: Templates

  package init(
    memory: Memory = Memory(), training: Training = Training(),
    instructionTuning: InstructionTuning = InstructionTuning(), evaluation: Evaluation = Evaluation(),
    templates: Templates = .plain
  ) {
    self.memory = memory
    self.training = training
    self.instructionTuning = instructionTuning
    self.evaluation = evaluation
    self.templates = templates
  }

  /// How stage 1 is trained.
  ///
  /// - Parameter epochs: passes over the histories; nil = `training.epochs`.
  package func trainingOptions(seed: UInt64, epochs: Int? = nil) -> TrainingOptions {
    var options = TrainingOptions()
    options.epochs = epochs ?? training.epochs
    options.batchSize = training.batch
    options.learningRate = training.learningRate
    options.weightDecay = training.weightDecay
    options.warmup = training.warmup
    options.schedule = training.schedule == .linear ? .linear : .cosine(minimum: 0.1)
    options.clip = training.clip > 0 ? training.clip : nil
    if training.betas.count == 2 { (options.beta1, options.beta2) = (training.betas[0], training.betas[1]) }
    options.seed = seed
    return options
  }

  /// The LoRAs of a configuration.
  package func plan(layers: [Int], count: Int, rank: Int) -> AdapterPlan {
    AdapterPlan(
      layers: layers, count: count, rank: rank, alpha: memory.alpha, placement: memory.placement,
      aggregate: memory.aggregate, targets: memory.targets.isEmpty ? ["up", "down"] : memory.targets)
  }

  /// The small adapter of stage 2 on all layers of the base; nil unless stage 2 makes one.
  func freshPlan(layerCount: Int) -> AdapterPlan? {
    guard instructionTuning.mode == .freshAdapter else { return nil }
    return AdapterPlan(
      layers: Array(0..<layerCount), count: 1, rank: instructionTuning.rank, alpha: instructionTuning.alpha,
      targets: instructionTuning.targets.isEmpty ? ["attention"] : instructionTuning.targets)
  }

  /// How LoRA blocks are shaped and placed.
  package struct Memory: Sendable, Codable, Equatable {
    /// LoRA's α, so that the scale is α/r, where nil means α = r; default nil.
    package var alpha: Double?
    /// How parallel blocks add up: `sum`, `mean` or `rsqrt` (the sum over √n); default `sum`.
    package var aggregate: AdapterPlan.Aggregate
    /// Matrices by short name (`c_fc`, `up_proj`, …); empty means the architecture's feed-forward pair; default empty.
    package var targets: [String]
    /// Where the blocks go: `perLayer`, `total` or `onePerLayer`; default `perLayer`.
    package var placement: AdapterPlan.Placement

    package init(
      alpha: Double? = nil, aggregate: AdapterPlan.Aggregate = .sum, targets: [String] = [],
      placement: AdapterPlan.Placement = .perLayer
    ) {
      self.alpha = alpha
      self.aggregate = aggregate
      self.targets = targets
      self.placement = placement
    }
  }

  /// How stage 1 is trained; stage 2 takes the same optimiser settings but for its own rate, epochs and batch.
  package struct Training: Sendable, Codable, Equatable {
    /// How the rate falls after warm-up.
    package enum Schedule: String, Sendable, Codable, CaseIterable {
      /// To 0.
      case linear
      /// Half a cosine, to 10 % of the peak.
      case cosine
    }

    /// Passes over the histories; default 1 (search).
    package var epochs: Int
    /// Passes when the winner is trained again for the comparison; nil means `epochs`; default 3.
    package var finalEpochs: Int?
    /// Examples per optimiser step; default 8.
    package var batch: Int
    /// Peak learning rate; default 5e-4.
    package var learningRate: Double
    /// Default 1e-4.
    package var weightDecay: Double
    /// Share of the steps over which the rate rises; default 0.1.
    package var warmup: Double
    /// How the rate falls: `linear` (to 0) or `cosine` (to 10 %); default `linear`.
    package var schedule: Schedule
    /// Largest gradient norm; 0 turns clipping off; default 1.
    package var clip: Double
    /// AdamW's β1, β2; default 0.9, 0.999.
    package var betas: [Double]
    /// Longest example in tokens; nil means the base's limit, at most 768; default nil.
    package var maxLength: Int?
    /// Items before the predicted one that an example shows; default 3.
    package var window: Int
    /// Whether the loss counts all tokens of an example instead of the last item's; default false.
    package var labelContext: Bool

    package init(
      epochs: Int = 1, finalEpochs: Int? = 3, batch: Int = 8, learningRate: Double = 5e-4, weightDecay: Double = 1e-4,
      warmup: Double = 0.1, schedule: Schedule = .linear, clip: Double = 1, betas: [Double] = [0.9, 0.999],
      maxLength: Int? = nil, window: Int = 3, labelContext: Bool = false
    ) {
      self.epochs = epochs
      self.finalEpochs = finalEpochs
      self.batch = batch
      self.learningRate = learningRate
      self.weightDecay = weightDecay
      self.warmup = warmup
      self.schedule = schedule
      self.clip = clip
      self.betas = betas
      self.maxLength = maxLength
      self.window = window
      self.labelContext = labelContext
    }
  }

  /// How stage 2 is trained.
  package struct InstructionTuning: Sendable, Codable, Equatable {
    /// What stage 2 trains.
    package enum Mode: String, Sendable, Codable, CaseIterable {
      /// The memory's own LoRAs go on training (paper).
      case sameMemory
      /// The memory is frozen; a small LoRA on the attention projections is trained beside it.
      case freshAdapter
      /// No stage 2.
      case none
    }

    /// Default `sameMemory`.
    package var mode: Mode
    /// Default 3.
    package var epochs: Int
    /// Examples per step; default 8.
    package var batch: Int
    /// Peak learning rate; default 5e-4.
    package var learningRate: Double
    /// Rank of the fresh adapter; default 4.
    package var rank: Int
    /// α of the fresh adapter; nil means its rank; default nil.
    package var alpha: Double?
    /// Matrices of the fresh adapter; empty means the architecture's attention projections; default empty.
    package var targets: [String]
    /// Stage 2 before every trial is measured too; default false.
    package var duringSearch: Bool

    package init(
      mode: Mode = .sameMemory, epochs: Int = 3, batch: Int = 8, learningRate: Double = 5e-4, rank: Int = 4,
      alpha: Double? = nil, targets: [String] = [], duringSearch: Bool = false
    ) {
      self.mode = mode
      self.epochs = epochs
      self.batch = batch
      self.learningRate = learningRate
      self.rank = rank
      self.alpha = alpha
      self.targets = targets
      self.duringSearch = duringSearch
    }
  }

  /// What is measured.
  package struct Evaluation: Sendable, Codable, Equatable {
    /// Longest reply in tokens; default 64.
    package var maxNewTokens: Int
    /// At most this many samples of a part are answered, evenly spread; nil means all; default nil.
    package var samples: Int?
    /// Replies generated at a time; default 64.
    package var batch: Int
    /// Porter-stem words for ROUGE; default false.
    package var stemmer: Bool
    /// ROUGE keeps letters of all scripts; default false: the reference keeps a-z and 0-9 only.
    package var unicode: Bool

    package init(
      maxNewTokens: Int = 64, samples: Int? = nil, batch: Int = 64, stemmer: Bool = false, unicode: Bool = false
    ) {
      self.maxNewTokens = maxNewTokens
      self.samples = samples
      self.batch = batch
      self.stemmer = stemmer
      self.unicode = unicode
    }

    /// How ROUGE takes words.
    package var rouge: Rouge.Options { Rouge.Options(stemmer: stemmer, unicode: unicode) }
  }
}
