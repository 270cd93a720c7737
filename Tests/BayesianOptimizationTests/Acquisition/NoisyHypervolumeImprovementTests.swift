import CKernels
import Foundation
import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// A Gaussian process with given kernel parameters and no data beyond a linear mean: exact and cheap.
struct ToyModel: PosteriorModel {
  var scales: [Double]
  var slope: Double
  var lengthscale = 0.6
  var drawCount: Int { scales.count }

  private func kernel(_ a: [Double], _ b: [Double], _ draw: Int) -> Double {
    let square = zip(a, b).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    return scales[draw] * exp(-square / (2 * lengthscale * lengthscale))
  }
  private func mean(_ row: [Double]) -> Double { slope * (row.reduce(0, +) - 0.5 * Double(row.count)) }

  func posterior(at points: Matrix, draw: Int) -> JointPosterior {
    var covariance = Matrix(rows: points.rows, columns: points.rows)
    for i in 0..<points.rows {
      for j in 0..<points.rows { covariance[i, j] = kernel(points.row(i), points.row(j), draw) }
    }
    return JointPosterior(mean: (0..<points.rows).map { mean(points.row($0)) }, covariance: covariance)
  }

  func posterior(at candidates: Matrix, baseline: Matrix, draw: Int) -> CandidatePosterior {
    var cross = Matrix(rows: candidates.rows, columns: baseline.rows)
    for i in 0..<candidates.rows {
      for j in 0..<baseline.rows { cross[i, j] = kernel(candidates.row(i), baseline.row(j), draw) }
    }
    return CandidatePosterior(
      mean: (0..<candidates.rows).map { mean(candidates.row($0)) },
      variance: (0..<candidates.rows).map { kernel(candidates.row($0), candidates.row($0), draw) },
      crossCovariance: cross)
  }
}

@Suite(.bounded) struct NoisyHypervolumeImprovementTests {
  private func points(_ count: Int, _ columns: Int, seed: UInt64) -> Matrix {
    var stream = RandomStream(seed: seed, purpose: "toy")
    return Matrix(rows: count, columns: columns, elements: (0..<(count * columns)).map { _ in stream.uniform() })
  }

  /// Plain Monte Carlo over baseline and candidate together.
  private func sampled(
    _ models: [ToyModel], baseline: Matrix, candidate: [Double], reference: [Double], count: Int
  ) -> (mean: Double, error: Double) {
    var stream = RandomStream(seed: 99, purpose: "toy/monte-carlo")
    let all = Matrix((0..<baseline.rows).map(baseline.row) + [candidate])
    var values: [Double] = []
    for draw in 0..<models[0].drawCount {
      let joints = models.map { $0.posterior(at: all, draw: draw) }
      let factors = joints.map { LowerTriangle(factorizing: $0.covariance) }
      for _ in 0..<count {
        let columns = zip(joints, factors).map { joint, factor in
          let normals = joint.mean.map { _ in stream.normal() }
          return factor.sample(mean: joint.mean, normals: normals[...])
        }
        let rows = (0..<all.rows).map { row in columns.map { $0[row] } }
        values += SampledImprovement.perSample(
          baseline: [Array(rows.dropLast())], pending: [[]], candidates: [[rows[rows.count - 1]]], reference: reference)
      }
    }
    let mean = values.reduce(0, +) / Double(values.count)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count - 1)
    return (mean, (variance / Double(values.count)).squareRoot())
  }

  @Test(arguments: [1, 2, 3, 4])
  func closedFormAgreesWithPlainMonteCarlo(objectives: Int) throws {
    let models = (0..<objectives).map { ToyModel(scales: [0.8, 1.3], slope: [0.7, -0.4, 0.2, -0.6][$0]) }
    let reference = [Double](repeating: -1, count: objectives)
    let baseline = points(4, 3, seed: 1)
    let candidates = points(4, 3, seed: 2)
    let acquisition = NoisyHypervolumeImprovement(
      models: models, baseline: baseline, reference: reference, samplesPerDraw: 512, seed: 5, index: 0)
    let logs = try acquisition.logValues(candidates)
    for row in 0..<candidates.rows {
      let floor = objectives == 1 ? [-1e300] : reference
      let exact = sampled(models, baseline: baseline, candidate: candidates.row(row), reference: floor, count: 4_000)
      let value = exp(logs[row])
      if objectives == 1 {
        // With an unbounded reference the sampled form is the gain over the best.
        #expect(value > 0 && value.isFinite)
      } else {
        #expect(abs(value - exact.mean) < 6 * exact.error + 0.05 * exact.mean, "\(value) \(exact)")
      }
    }
  }

  @Test func oneOutcomeIsExpectedImprovement() throws {
    // A single baseline point far away: independent of the candidate, so that E(f − best)+ has a closed form.
    let model = ToyModel(scales: [1], slope: 0, lengthscale: 0.01)
    let acquisition = NoisyHypervolumeImprovement(
      models: [model], baseline: Matrix([[0, 0]]), reference: [0], samplesPerDraw: 4_096, seed: 1, index: 0)
    let value = exp(try acquisition.logValues(Matrix([[1, 1]]))[0])
    // f − best ~ N(0, 2): E(·)+ = sqrt(2) φ(0).
    #expect(abs(value - 2.0.squareRoot() * 0.398_942_280_401_432_7) < 2e-3)
  }

  @Test func kernelAgreesWithTheScalarFormula() {
    let means = stride(from: -9.0, through: 9, by: 0.01).map { $0 }
    let deviations = means.indices.map { 0.5 + 0.001 * Double($0) }
    var out = [Double](repeating: 0, count: means.count)
    ehvi_partial_expectations(Int32(means.count), means, deviations, 0.25, &out)
    for index in means.indices {
      let exact = ExpectedImprovement.partialExpectation(
        mean: means[index], standardDeviation: deviations[index], above: 0.25)
      #expect(abs(out[index] - exact) <= 1e-12 * exact + 1e-18)
    }
  }

  @Test func farCandidatesStillRank() throws {
    let models = [ToyModel(scales: [1e-4], slope: 40), ToyModel(scales: [1e-4], slope: 40)]
    let baseline = Matrix([[1, 1], [0.95, 1]])
    let acquisition = NoisyHypervolumeImprovement(
      models: models, baseline: baseline, reference: [0, 0], seed: 1, index: 0)
    let candidates = Matrix((1...9).map { [Double($0) / 10, Double($0) / 10] })
    let logs = try acquisition.logValues(candidates)
    #expect(logs.allSatisfy { $0.isFinite })
    #expect(zip(logs, logs.dropFirst()).allSatisfy { $0 < $1 })
    #expect((logs.first ?? 0) < -1_000)
  }

  @Test func resultsDoNotDependOnThreadsOrBatching() throws {
    let models = [ToyModel(scales: [0.5, 1, 2], slope: 0.5), ToyModel(scales: [0.5, 1, 2], slope: -0.5)]
    let baseline = points(6, 4, seed: 3)
    let candidates = points(150, 4, seed: 4)
    let one = NoisyHypervolumeImprovement(models: models, baseline: baseline, reference: [-1, -1], seed: 2, index: 7)
    let two = NoisyHypervolumeImprovement(
      models: models, baseline: baseline, reference: [-1, -1], seed: 2, index: 7, threads: 2)
    let values = try one.logValues(candidates)
    #expect(try two.logValues(candidates, threads: 2) == values)
    #expect(try one.logValues(candidates.selectingRows([140]))[0] == values[140])
  }

  @Test func pruningKeepsWhatMayBeOnTheFront() {
    let models = [ToyModel(scales: [1e-6], slope: 1), ToyModel(scales: [1e-6], slope: 0)]
    let rows = Matrix([[0, 0], [0.5, 0.5], [1, 1], [0.2, 0.1]])
    var stream = RandomStream(seed: 1, purpose: "prune")
    let kept = BaselinePruning(models: models, reference: [-10, -10]).keep(rows, stream: &stream)
    #expect(kept.contains(2))
    var again = RandomStream(seed: 1, purpose: "prune")
    #expect(kept == BaselinePruning(models: models, reference: [-10, -10]).keep(rows, stream: &again))
    var third = RandomStream(seed: 1, purpose: "prune")
    #expect(BaselinePruning(models: models, reference: [10, 10]).keep(rows, stream: &third).count == 1)
  }
}
