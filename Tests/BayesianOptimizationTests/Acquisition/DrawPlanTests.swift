import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite("Failures of the acquisition's native code", .bounded)
struct DrawPlanTests {
  private struct Flat: PosteriorModel {
    var drawCount: Int { 1 }
    func posterior(at points: Matrix, draw: Int) -> JointPosterior {
      var covariance = Matrix(rows: points.rows, columns: points.rows)
      for row in 0..<points.rows { covariance[row, row] = 1 }
      return JointPosterior(mean: [Double](repeating: 0, count: points.rows), covariance: covariance)
    }
    func posterior(at points: Matrix, baseline: Matrix, draw: Int) -> CandidatePosterior {
      CandidatePosterior(
        mean: [Double](repeating: 0, count: points.rows), variance: [Double](repeating: 1, count: points.rows),
        crossCovariance: Matrix(rows: points.rows, columns: baseline.rows))
    }
  }

  @Test("a status other than 0 is an error with that status, not a value") func status() {
    let plan = DrawPlan(
      models: [Flat()], baseline: Matrix([[0]]), reference: [0], draw: 0, normals: [0.5], samples: 1)
    var packed = PackedPosterior(outcomes: 1, candidates: 1, baseline: 1)
    packed.append(Flat().posterior(at: Matrix([[1]]), baseline: Matrix([[0]]), draw: 0))
    let failed = plan.sums(packed) { _, _, _, _, _, _, _, _, _, _, _, _ in -1 }
    #expect(failed == .failure(.native(status: -1)))
    #expect(AcquisitionError.native(status: -1).description.contains("-1"))
    #expect(throws: Never.self) { try plan.sums(packed).get() }
  }

  @Test("an error of the score ends the search for the best configuration") func scoreThrows() throws {
    let optimizer = DiscreteOptimizer(
      space: try SearchSpace(factors: [Factor(name: "k", domain: .integer(1...9))]), excluded: [])
    var stream = RandomStream(seed: 1, purpose: "test")
    #expect(throws: AcquisitionError.native(status: -1)) {
      _ = try optimizer.maximize(pareto: [], stream: &stream) { _ in throw AcquisitionError.native(status: -1) }
    }
  }
}
