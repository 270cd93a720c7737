import TestSupport
import Testing

@testable import BayesianOptimization

@Suite("Reference points and units", .bounded)
struct ReferencePointTests {
  private let objectives = [
    Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
  ]

  @Test("an inferred point does not depend on the unit", arguments: [1e-15, 1e-9, 1e-3, 1, 1e6])
  func unit(_ unit: Double) throws {
    let front = [[1.0, 4], [2, 3], [3, 1]]
    let plain = try #require(ReferencePoint.infer(front: front))
    let scaled = try #require(ReferencePoint.infer(front: front.map { $0.map { $0 * unit } }))
    for (a, b) in zip(plain, scaled) { #expect(abs(a * unit - b) <= 1e-12 * unit) }
    let single = try #require(ReferencePoint.infer(front: [[2 * unit, 3 * unit]]))
    #expect(abs(single[0] - 1.8 * unit) <= 1e-12 * unit)
  }

  @Test("a search in small units does not look converged") func smallUnits() throws {
    let rows = (1...40).map { [1e-10 * Double($0), 2e-10 * Double($0)] }
    let reference = try #require(ReferencePoint.infer(front: Dominance.front(Array(rows[0..<3])).map { rows[$0] }))
    let history = rows.indices.map { Hypervolume.value(Array(rows[0...$0]), reference: reference) }
    // The first three are dominated by the reference point, which is a tenth below the best of them.
    #expect(history[2] > 0 && history[3] > history[2])
    #expect(!Convergence.isReached(Array(history.prefix(8)), epsilon: 0.01, window: 4))
  }

  @Test("zeros and equal values keep a margin") func degenerate() {
    #expect(ReferencePoint.infer(front: [[0, 0]]) == [-1e-8, -1e-8])
    let equal = ReferencePoint.infer(front: [[5, 5], [5, 5]]) ?? []
    #expect(equal.count == 2 && equal.allSatisfy { $0 < 5 && $0 > 4.999 })
  }

  @Test("a point that nobody reaches is named with the best value, and percent is recognised") func unreached() {
    let values: [[String: Double]] = [["loss": 1, "rougeL": 0.3], ["loss": 2, "rougeL": 0.4]]
    func note(_ loss: Double, _ rouge: Double) -> String? {
      ReferencePoint.unreachedNote(values: values, objectives: objectives, reference: ["loss": loss, "rougeL": rouge])
    }
    #expect(note(3, 0.2) == nil)
    let percent = note(3, 22)
    #expect(percent?.contains("rougeL (reference 22.0, best 0.4)") == true)
    #expect(percent?.contains("write 0.22") == true && percent?.contains("loss (") == false)
    #expect(note(0.5, 0.2)?.contains("loss (reference 0.5, best 1.0)") == true)
    #expect(note(1.5, 0.35)?.contains("at once") == true)
    #expect(
      ReferencePoint.unreachedNote(values: [], objectives: objectives, reference: ["loss": 1, "rougeL": 1]) == nil)
    #expect(
      ReferencePoint.unreachedNote(
        values: [["loss": .nan, "rougeL": 1]], objectives: objectives, reference: ["loss": 1, "rougeL": 2]) == nil)
  }

  @Test("values in another unit and beyond the limit are named") func problems() {
    let rouge = objectives[1]
    #expect(rouge.problem(with: 0.5) == nil && rouge.problem(with: 0) == nil && rouge.problem(with: 1) == nil)
    #expect(rouge.problem(with: .nan) == nil)
    #expect(rouge.problem(with: 50)?.contains("write 0.5") == true)
    #expect(rouge.problem(with: -0.1)?.contains("between 0 and 1") == true)
    #expect(objectives[0].problem(with: 50) == nil && objectives[0].problem(with: -50) == nil)
    #expect(objectives[0].problem(with: 1e76)?.contains("1e+75") == true)
    // The largest values of four objectives still have a finite hypervolume.
    let top = Objective.largestMagnitude
    let rows = [[top, top, top, top]]
    #expect(Hypervolume.value(rows, reference: [-top, -top, -top, -top]).isFinite)
  }
}
