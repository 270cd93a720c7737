import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct DiscreteOptimizerTests {
  private func target(_ space: SearchSpace, _ levels: [Int]) -> Double {
    let row = space.encode(levels: levels)
    return -row.enumerated().reduce(0) { sum, item in
      let wish = item.offset % 3 == 0 ? 1.0 : 0.25
      return sum + (item.element - wish) * (item.element - wish)
    }
  }

  @Test func smallSpacesAreSearchedCompletely() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 5, count: 0...4, ranks: [2, 4]))
    let all = try #require(space.enumeratedLevels(limit: 2_000))
    let ranked = all.sorted { target(space, $0) > target(space, $1) }
    for skipped in [0, 1, 5] {
      let optimizer = DiscreteOptimizer(space: space, excluded: Set(ranked.prefix(skipped)))
      var stream = RandomStream(seed: 1, purpose: "optimizer")
      let best = try optimizer.maximize(pareto: [], stream: &stream) { $0.map { self.target(space, $0) } }
      #expect(best.map { target(space, $0.levels) } == target(space, ranked[skipped]))
    }
    let everything = DiscreteOptimizer(space: space, excluded: Set(all))
    var stream = RandomStream(seed: 1, purpose: "optimizer")
    #expect(try everything.maximize(pareto: [], stream: &stream) { $0.map { _ in 0 } } == nil)
  }

  @Test func separableOptimumOfThePaperSpaceIsFoundWithinTheBudget() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 32))
    var stream = RandomStream(seed: 2, purpose: "optimizer")
    let start = RandomDraws(space).next(using: &stream)
    let optimizer = DiscreteOptimizer(space: space, excluded: [start], evaluations: 6_000)
    var scored: Set<[Int]> = []
    var repeated = 0
    let best = try optimizer.maximize(pareto: [start], stream: &stream) { candidates in
      for candidate in candidates where !scored.insert(candidate).inserted { repeated += 1 }
      return candidates.map { target(space, $0) }
    }
    #expect(repeated == 0 && scored.count <= 6_000 && !scored.contains(start))
    let ideal = (0..<32).map { $0 % 3 == 0 ? 1 : 0 }
    #expect(best.map { Array($0.levels.prefix(32)) } == ideal)
  }

  @Test func notANumberIsNeverChosen() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 12))
    var stream = RandomStream(seed: 3, purpose: "optimizer")
    let optimizer = DiscreteOptimizer(space: space, excluded: [], evaluations: 300)
    #expect(try optimizer.maximize(pareto: [], stream: &stream) { $0.map { _ in Double.nan } } == nil)
  }
}
