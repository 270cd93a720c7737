import TestSupport
import Testing

@testable import BayesianOptimization

@Suite("Placement", .bounded) struct PlacementTests {
  @Test("the blocks of the layers add up, and the first layer has the most", arguments: Placement.allCases)
  func sums(_ placement: Placement) {
    for active in 1...9 {
      for count in 0...20 {
        let blocks = (0..<active).map { placement.blocks(at: $0, active: active, count: count) }
        #expect(blocks.reduce(0, +) == placement.blocks(active: active, count: count))
        #expect(blocks.max() == blocks[0] && blocks.allSatisfy { $0 >= 0 })
      }
    }
  }

  @Test("without an active layer there is no block, whatever n is", arguments: Placement.allCases)
  func nothing(_ placement: Placement) {
    let space = MemorySpace(
      layers: 4, count: 2...8, placement: placement, matrices: [MemorySpace.MatrixShape(input: 3, output: 5)])
    for count in 0...8 {
      #expect(placement.blocks(active: 0, count: count) == 0)
      #expect(space.trainableParameters(active: 0, count: count, rank: 8) == 0)
      #expect(space.effectiveRank(active: 0, count: count, rank: 8) == 0)
    }
  }
}
