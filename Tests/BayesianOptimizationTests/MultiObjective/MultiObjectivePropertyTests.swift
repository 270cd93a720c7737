import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct MultiObjectivePropertyTests {
  private func rows(_ count: Int, _ objectives: Int, _ stream: inout RandomStream) -> [[Double]] {
    // A coarse grid makes ties and duplicates frequent.
    (0..<count).map { _ in
      (0..<objectives).map { _ in stream.bernoulli(0.5) ? Double(stream.integer(below: 6)) / 5 : stream.uniform() }
    }
  }

  @Test(arguments: [2, 3, 4])
  func boxesTileTheNonDominatedRegion(objectives: Int) {
    var stream = RandomStream(seed: 11, purpose: "boxes", index: UInt64(objectives))
    for _ in 0..<30 {
      let set = rows(1 + stream.integer(below: 8), objectives, &stream)
      let reference = [Double](repeating: 0, count: objectives)
      let boxes = BoxDecomposition(rows: set, reference: reference)
      for _ in 0..<20 {
        let point = (0..<objectives).map { _ in 1.4 * stream.uniform() - 0.2 }
        let exact =
          Hypervolume.value(set + [point], reference: reference) - Hypervolume.value(set, reference: reference)
        #expect(abs(boxes.improvement(of: point) - exact) < 1e-12)
        #expect(abs(Hypervolume.improvement(of: point, over: set, reference: reference) - exact) < 1e-12)
        // A point lies in exactly one box, or in none when it is dominated or below the reference.
        let inside = (0..<boxes.count).filter { index in
          let box = boxes.box(index)
          return point.indices.allSatisfy { box.lower[$0] < point[$0] && point[$0] <= box.upper[$0] }
        }
        #expect(inside.count == (exact > 1e-12 ? 1 : 0))
      }
    }
  }

  @Test(arguments: [1, 2, 3, 4])
  func historyAgreesWithRecomputation(objectives: Int) {
    var stream = RandomStream(seed: 12, purpose: "history", index: UInt64(objectives))
    let reference = [Double](repeating: 0.1, count: objectives)
    for _ in 0..<10 {
      let set = rows(40, objectives, &stream)
      var history = HypervolumeHistory(reference: reference)
      for (index, row) in set.enumerated() {
        let value = history.add(row)
        #expect(abs(value - Hypervolume.value(Array(set[...index]), reference: reference)) < 1e-12)
      }
      history.add(nil)
      history.add([Double](repeating: .nan, count: objectives))
      #expect(history.values.count == 42 && history.values[41] == history.values[39])
    }
  }

  @Test(arguments: [1, 2, 3])
  func dominanceAgreesWithTheDefinition(objectives: Int) {
    var stream = RandomStream(seed: 13, purpose: "dominance", index: UInt64(objectives))
    for _ in 0..<40 {
      var set = rows(25, objectives, &stream)
      set[3][0] = .nan
      let keep = Dominance.nonDominated(set, deduplicate: false)
      for index in set.indices {
        let expected = !set[index][0].isNaN && !set.contains { Dominance.dominates($0, set[index]) }
        #expect(keep[index] == expected)
      }
      let ranks = Dominance.ranks(set)
      for index in set.indices where keep[index] { #expect(ranks[index] == 0) }
    }
  }

  @Test func summaryNumbersLinesAndInfersTheReference() {
    let objectives = [Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize)]
    let values: [[String: Double]?] = [
      ["loss": 2, "rougeL": 0.1], nil, ["loss": 1, "rougeL": 0.2], ["loss": 1.5, "rougeL": 0.3],
      ["loss": .nan, "rougeL": 1],
      ["loss": 1.6, "rougeL": 0.25],
    ]
    let summary = ParetoSummary(values: values, objectives: objectives, reference: ["loss": 2, "rougeL": 0.1])
    #expect(summary.front == [2, 3] && !summary.isInferred)
    #expect(abs(summary.hypervolume - (1 * 0.1 + 0.5 * 0.1)) < 1e-12)
    let inferred = ParetoSummary(values: values, objectives: objectives)
    #expect(inferred.isInferred)
    #expect(abs((inferred.reference["loss"] ?? 0) - 1.55) < 1e-12)
    #expect(abs((inferred.reference["rougeL"] ?? 0) - 0.19) < 1e-12)
    #expect(ParetoSummary(values: [], objectives: objectives).front.isEmpty)
  }

  @Test func convergenceNeedsAFlatWindow() {
    let flat = [0.1, 0.5, 1, 1, 1, 1.000_1]
    #expect(Convergence.isReached(flat, epsilon: 0.001, window: 3))
    #expect(!Convergence.isReached(flat, epsilon: 0.001, window: 4 + 1))
    #expect(!Convergence.isReached(flat, epsilon: 0, window: 3))
    #expect(!Convergence.isReached([0, 0, 0, 0, 0], epsilon: 0.01, window: 2))
  }
}
