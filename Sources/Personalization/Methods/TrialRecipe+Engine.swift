import BayesianOptimization
import LanguageModel
import MemoryRecipe

// From the settings of a study to the engine's input: the only place that translates between the two.

extension TrialRecipe {
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
    options.schedule =
      switch training.schedule {
      case .linear: .linear
      case .cosine: .cosine(minimum: 0.1)
      }
    options.clip = training.clip > 0 ? training.clip : nil
    options.seed = seed
    return options
  }

  /// How stage 2 is trained.
  func instructionOptions(seed: UInt64) -> TrainingOptions {
    var options = trainingOptions(seed: seed, epochs: instructionTuning.epochs)
    options.batchSize = instructionTuning.batch
    options.learningRate = instructionTuning.learningRate
    return options
  }

  /// The LoRAs of a configuration θ.
  ///
  /// - Throws: `AdapterError` for a configuration of named factors, which says nothing about LoRAs.
  package func plan(_ configuration: Configuration) throws -> AdapterPlan {
    guard case .memory(let layers, let count, let rank) = configuration.content else {
      throw AdapterError(.invalid, "memory needs layers, count and rank; the configuration is \(configuration)")
    }
    let alpha = memory.alpha ?? Double(rank)
    return AdapterPlan(
      layers: layers.enumerated().compactMap { position, layer in
        let blocks = placement.blocks(at: position, active: layers.count, count: count)
        guard blocks != 0 else { return nil }
        return AdapterPlan.Layer(
          index: layer, blocks: blocks, scale: memory.aggregate.factor(blocks: blocks) * alpha / Double(rank))
      }, rank: rank, targets: memory.targets)
  }

  /// The small adapter of stage 2 on all layers of the base; nil unless stage 2 makes one.
  func freshPlan(layerCount: Int) -> AdapterPlan? {
    guard instructionTuning.mode == .freshAdapter else { return nil }
    return AdapterPlan(
      layers: Array(0..<layerCount), count: 1, rank: instructionTuning.rank, alpha: instructionTuning.alpha,
      targets: ["attention"])
  }
}

extension TrialRecipe.Evaluation {
  /// How ROUGE reads words.
  var rouge: Rouge.Options { Rouge.Options(stemmer: stemmer, unicode: unicode) }
}
