import BayesianOptimization
import LanguageModel
import MemoryRecipe
import TestSupport
import Testing

@testable import Personalization

/// From a configuration θ to the blocks that are trained.
@Suite("θ to LoRA blocks", .bounded) struct TrialRecipePlanTests {
  private let llama7B = ModelConfiguration(
    architecture: .llama, vocabularySize: 32000, hiddenSize: 4096, intermediateSize: 11008, layerCount: 32,
    headCount: 32, positionCount: 4096)

  private func recipe(
    _ placement: Placement = .perLayer, _ aggregate: TrialRecipe.Memory.Aggregate = .sum, alpha: Double? = nil
  ) -> TrialRecipe {
    var recipe = TrialRecipe(templates: .plain)
    recipe.placement = placement
    recipe.memory.aggregate = aggregate
    recipe.memory.alpha = alpha
    return recipe
  }

  /// Sizes for LLaMA2-7B with up and down (paper, §2.2).
  @Test(arguments: [(4, 16, 16), (8, 32, 16), (1, 8, 32), (32, 96, 32)])
  func parameterCounts(_ count: Int, _ rank: Int, _ active: Int) throws {
    let theta = Configuration.memory(layers: 0..<active, count: count, rank: rank)
    func parameters(_ placement: Placement) throws -> Int {
      try recipe(placement).plan(theta).parameterCount(for: llama7B)
    }
    #expect(try parameters(.perLayer) == active * count * rank * 30_208)
    #expect(try parameters(.total) == count * rank * 30_208)
    #expect(try parameters(.onePerLayer) == min(count, active) * rank * 30_208)
  }

  @Test("the space counts what is trained", arguments: Placement.allCases, [(0, 3), (1, 0), (3, 5), (5, 3), (4, 4)])
  func spaceAgrees(_ placement: Placement, _ size: (active: Int, count: Int)) throws {
    let matrices = [(4096, 11008), (11008, 4096)].map { MemorySpace.MatrixShape(input: $0.0, output: $0.1) }
    let space = MemorySpace(layers: 32, placement: placement, matrices: matrices)
    let plan = try recipe(placement).plan(.memory(layers: 0..<size.active, count: size.count, rank: 8))
    #expect(
      try plan.parameterCount(for: llama7B)
        == space.trainableParameters(active: size.active, count: size.count, rank: 8))
    #expect(
      (plan.layers.map(\.blocks).max() ?? 0) * 8 == space.effectiveRank(active: size.active, count: size.count, rank: 8)
    )
    #expect(plan.isNull == (size.active == 0 || size.count == 0))
  }

  @Test func placements() throws {
    func blocks(_ count: Int, _ placement: Placement) throws -> [Int: Int] {
      let plan = try recipe(placement).plan(.memory(layers: [7, 1, 4], count: count, rank: 1))
      return Dictionary(uniqueKeysWithValues: plan.layers.map { ($0.index, $0.blocks) })
    }
    #expect(try blocks(2, .perLayer) == [1: 2, 4: 2, 7: 2])
    #expect(try blocks(5, .total) == [1: 2, 4: 2, 7: 1])
    #expect(try blocks(2, .total) == [1: 1, 4: 1])
    #expect(try blocks(2, .onePerLayer) == [1: 1, 4: 1])
  }

  @Test func scales() throws {
    func scale(_ aggregate: TrialRecipe.Memory.Aggregate, alpha: Double? = 16) throws -> [Double] {
      try recipe(.perLayer, aggregate, alpha: alpha).plan(.memory(layers: [0], count: 4, rank: 8)).layers.map(\.scale)
    }
    #expect(try scale(.sum, alpha: nil) == [1] && scale(.sum) == [2])
    #expect(try scale(.mean) == [0.5] && scale(.rsqrt) == [1])
    // By the blocks of each layer where they differ.
    let uneven = try recipe(.total, .mean).plan(.memory(layers: [0, 1], count: 3, rank: 8)).layers
    #expect(uneven.map(\.blocks) == [2, 1] && uneven.map(\.scale) == [0.5, 1])
  }

  @Test("every setting of stage 1 changes the engine's options, but those that make the examples")
  func options() {
    let plain = TrialRecipe(templates: .plain)
    let changes: [(inout TrialRecipe.Training) -> Void] = [
      { $0.epochs = 9 }, { $0.batch = 9 }, { $0.learningRate = 9 }, { $0.weightDecay = 9 }, { $0.warmup = 0.9 },
      { $0.schedule = .cosine }, { $0.clip = 9 }, { $0.clip = 0 },
    ]
    for change in changes {
      var other = plain
      change(&other.training)
      #expect(other.trainingOptions(seed: 1) != plain.trainingOptions(seed: 1))
    }
    #expect(plain.trainingOptions(seed: 2) != plain.trainingOptions(seed: 1))
    #expect(plain.trainingOptions(seed: 1, epochs: 4).epochs == 4)
  }
}
