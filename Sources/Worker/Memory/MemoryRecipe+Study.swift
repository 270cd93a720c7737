import BayesianOptimization
import LanguageModel
import Personalization
import Study

extension MemoryRecipe {
  /// The recipe that a study's sections describe.
  ///
  /// - Parameters:
  ///   - isQuickstart: whether the quickstart's line templates are the default.
  ///   - kinds: kinds of history items in the data, which may name templates.
  package init(_ configuration: StudyConfiguration, isQuickstart: Bool, kinds: Set<String> = []) throws {
    self.init()
    memory.alpha = configuration.memory.alpha
    memory.aggregate = AdapterPlan.Aggregate(configuration.memory.aggregate)
    memory.targets = configuration.memory.targets
    memory.placement = AdapterPlan.Placement(configuration.space.placement)
    let stage1 = configuration.training
    training.epochs = stage1.epochs
    training.finalEpochs = stage1.finalEpochs
    training.batch = stage1.batch
    training.learningRate = stage1.learningRate
    training.weightDecay = stage1.weightDecay
    training.warmup = stage1.warmup
    training.schedule = Training.Schedule(stage1.schedule)
    training.clip = stage1.clip
    training.maxLength = stage1.maximumLength
    training.window = stage1.window
    training.labelContext = stage1.labelContext
    let stage2 = configuration.instructionTuning
    instructionTuning.mode = InstructionTuning.Mode(stage2.mode)
    instructionTuning.epochs = stage2.epochs
    instructionTuning.batch = stage2.batch
    instructionTuning.learningRate = stage2.learningRate
    instructionTuning.rank = stage2.rank
    instructionTuning.alpha = stage2.alpha
    instructionTuning.duringSearch = stage2.duringSearch
    evaluation.maxNewTokens = configuration.evaluation.maximumNewTokens
    evaluation.samples = configuration.evaluation.samples
    evaluation.batch = configuration.evaluation.batch
    evaluation.stemmer = configuration.evaluation.stemmer
    evaluation.unicode = configuration.evaluation.unicode ?? false
    templates = try (isQuickstart ? Templates.quickstart : .plain)
      .overriding(configuration.data.templates, kinds: kinds)
  }
}

// The study's names and the trainer's are two types of two modules; a case that one of them lacks does not compile.

extension AdapterPlan.Aggregate {
  init(_ aggregate: StudyConfiguration.MemorySection.Aggregate) {
    switch aggregate {
    case .sum: self = .sum
    case .mean: self = .mean
    case .rsqrt: self = .rsqrt
    }
  }
}

extension AdapterPlan.Placement {
  init(_ placement: BayesianOptimization.Placement) {
    switch placement {
    case .perLayer: self = .perLayer
    case .total: self = .total
    case .onePerLayer: self = .onePerLayer
    }
  }
}

extension MemoryRecipe.Training.Schedule {
  init(_ schedule: StudyConfiguration.TrainingSection.Schedule) {
    switch schedule {
    case .linear: self = .linear
    case .cosine: self = .cosine
    }
  }
}

extension MemoryRecipe.InstructionTuning.Mode {
  init(_ mode: StudyConfiguration.InstructionTuningSection.Mode) {
    switch mode {
    case .sameMemory: self = .sameMemory
    case .freshAdapter: self = .freshAdapter
    case .none: self = .none
    }
  }
}
