import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct SAASPosteriorTests {
  @Test(arguments: Goldens.sets)
  func agreesWithGoldens(set: String) throws {
    let golden = try Goldens.posterior(set)
    let data = try Goldens.logJoint(set).data
    let posterior = try #require(SAASPosterior(data: data, draws: golden.draws))
    let points = Matrix(golden.Xtest)
    for draw in 0..<posterior.drawCount {
      let joint = posterior.posterior(at: points, draw: draw)
      #expect(largestDifference(joint.mean, golden.per_sample_mean[draw]) < 1e-8)
      let variances = (0..<points.rows).map { joint.covariance[$0, $0] }
      #expect(largestDifference(variances, golden.per_sample_var[draw]) < 1e-8)
      if let covariance = golden.per_sample_cov {
        #expect(largestDifference(joint.covariance.elements, covariance[draw].flatMap { $0 }) < 1e-8)
      }
    }
    let mixture = posterior.mixture(at: points)
    #expect(largestDifference(mixture.mean, golden.mixture_mean) < 1e-8)
    #expect(largestDifference(mixture.variance, golden.mixture_var) < 1e-8)
    let noisy = posterior.mixture(at: points, includingNoise: true)
    #expect(largestDifference(noisy.variance, golden.mixture_var_with_obs_noise) < 1e-8)
    if let covariance = golden.mixture_cov {
      let joint = posterior.mixtureJoint(at: points)
      #expect(largestDifference(joint.covariance.elements, covariance.flatMap { $0 }) < 1e-8)
    }
  }

  @Test func candidatesAgreeWithJoint() throws {
    let golden = try Goldens.posterior("n40d14")
    let data = try Goldens.logJoint("n40d14").data
    let posterior = try #require(SAASPosterior(data: data, draws: golden.draws))
    let points = Matrix(golden.Xtest)
    let candidates = points.selectingRows(Array(0..<13))
    let baseline = points.selectingRows(Array(13..<20))
    for draw in [0, 3, 0] {
      let joint = posterior.posterior(at: points, draw: draw)
      let marginal = posterior.posterior(at: candidates, baseline: baseline, draw: draw)
      for i in 0..<13 {
        #expect(abs(marginal.mean[i] - joint.mean[i]) < 1e-12)
        #expect(abs(marginal.variance[i] - joint.covariance[i, i]) < 1e-12)
        for j in 0..<7 { #expect(abs(marginal.crossCovariance[i, j] - joint.covariance[i, 13 + j]) < 1e-12) }
      }
    }
    // Another baseline after the first one: the remembered state must not leak.
    let others = posterior.posterior(at: candidates, baseline: candidates, draw: 0)
    let joint = posterior.posterior(at: candidates, draw: 0)
    #expect(largestDifference(others.crossCovariance.elements, joint.covariance.elements) < 1e-12)
  }

  @Test func leaveOneOutAgreesWithLeavingOut() throws {
    let golden = try Goldens.logJoint("n12d5")
    let draw = try Goldens.posterior("n12d5").draws[2]
    let posterior = try #require(SAASPosterior(data: golden.data, draws: [draw]))
    let all = posterior.leaveOneOut()
    for i in 0..<12 {
      let others = (0..<12).filter { $0 != i }
      let data = SurrogateData(
        points: golden.data.points.selectingRows(others), values: others.map { golden.data.values[$0] })
      let left = try #require(SAASPosterior(data: data, draws: [draw]))
      let (mean, variance) = left.mixture(at: golden.data.points.selectingRows([i]), includingNoise: true)
      #expect(abs(mean[0] - all[i].mean) < 1e-8)
      #expect(abs(variance[0] - all[i].variance) < 1e-8)
    }
  }

  @Test func knownVariancesWidenThePosterior() throws {
    let golden = try Goldens.logJoint("n12d5").data
    let draw = try Goldens.posterior("n12d5").draws[0]
    let noisy = SurrogateData(
      points: golden.points, values: golden.values, variances: [Double](repeating: 0.5, count: 12))
    let without = try #require(SAASPosterior(data: golden, draws: [draw])).mixture(at: golden.points)
    let with = try #require(SAASPosterior(data: noisy, draws: [draw])).mixture(at: golden.points)
    for i in 0..<12 { #expect(with.variance[i] > without.variance[i]) }
  }

  @Test func emptyInputsAreAnswered() throws {
    let data = SurrogateData(points: Matrix(rows: 0, columns: 2), values: [])
    let draw = HyperparameterDraw(outputScale: 2, mean: 0.5, noise: 0.1, inverseSquaredLengthscales: [1, 1])
    let posterior = try #require(SAASPosterior(data: data, draws: [draw]))
    let joint = posterior.posterior(at: Matrix([[0, 0], [0, 0.5]]), draw: 0)
    #expect(joint.mean == [0.5, 0.5])
    #expect(joint.covariance[0, 0] == 2)
    #expect(posterior.mixture(at: Matrix(rows: 0, columns: 2)).mean.isEmpty)
    let marginal = posterior.posterior(
      at: Matrix([[0, 0]]), baseline: Matrix(rows: 0, columns: 2), draw: 0)
    #expect(marginal.crossCovariance.columns == 0)
    #expect(SAASPosterior(data: data, draws: []) == nil)
  }
}
