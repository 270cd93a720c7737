import LanguageModel
import Personalization
import Study

extension MemoryRecipe {
  /// The recipe that a study's sections describe.
  ///
  /// - Parameter isQuickstart: whether the quickstart's line templates are the default.
  public init(_ configuration: StudyConfiguration, isQuickstart: Bool) throws {
    self.init()
    memory.alpha = configuration.memory.alpha
    memory.aggregate = AdapterPlan.Aggregate(rawValue: configuration.memory.aggregate.rawValue) ?? .sum
    memory.targets = configuration.memory.targets
    memory.placement = AdapterPlan.Placement(rawValue: configuration.space.placement.rawValue) ?? .perLayer
    let stage1 = configuration.training
    training.epochs = stage1.epochs
    training.finalEpochs = stage1.finalEpochs
    training.batch = stage1.batch
    training.learningRate = stage1.learningRate
    training.weightDecay = stage1.weightDecay
    training.warmup = stage1.warmup
    training.schedule = stage1.schedule == .linear ? .linear : .cosine
    training.clip = stage1.clip
    training.maxLength = stage1.maximumLength
    training.window = stage1.window
    training.labelContext = stage1.labelContext
    let stage2 = configuration.instructionTuning
    instructionTuning.mode = InstructionTuning.Mode(rawValue: stage2.mode.rawValue) ?? .sameMemory
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
    templates = try (isQuickstart ? Templates.quickstart : .plain).overriding(configuration.data.templates)
  }
}
