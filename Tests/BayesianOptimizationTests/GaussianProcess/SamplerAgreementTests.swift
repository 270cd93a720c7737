import Foundation
import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// Samplers against known moments: a Gaussian, and the long reference chains of the goldens.
@Suite(.bounded) struct SamplerAgreementTests {
  /// N(mean, covariance) given by its precision.
  private final class Gaussian: LogDensity {
    let dimension = 3
    let mean = [1.0, -2, 0.5]
    let precision = Matrix([[2, 0.9, 0], [0.9, 1, -0.3], [0, -0.3, 4]])

    func evaluate(_ q: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>) -> Double {
      var value = 0.0
      for i in 0..<3 {
        gradient[i] = -(0..<3).reduce(0) { $0 + precision[i, $1] * (q[$1] - mean[$1]) }
        value += 0.5 * gradient[i] * (q[i] - mean[i])
      }
      return value
    }
  }

  private func schedule(_ algorithm: SamplingSchedule.Algorithm, draws: Int) -> SamplingSchedule {
    SamplingSchedule(name: "test", algorithm: algorithm, chains: 4, warmup: 200, draws: draws, kept: 16)
  }

  private func moments(_ draws: [[[Double]]], _ p: Int) -> (mean: Double, deviation: Double, error: Double) {
    let chains = draws.map { $0.map { $0[p] } }
    let all = chains.flatMap { $0 }
    let mean = all.reduce(0, +) / Double(all.count)
    let variance = all.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(all.count - 1)
    let size = ChainDiagnostics.bulkEffectiveSampleSize(chains)
    return (mean, variance.squareRoot(), (variance / size).squareRoot())
  }

  @Test(arguments: [SamplingSchedule.Algorithm.jitteredHMC, .noUTurn])
  func gaussianMoments(algorithm: SamplingSchedule.Algorithm) throws {
    let target = Gaussian()
    let sampler = PooledSampler(schedule: schedule(algorithm, draws: 4000), threads: 1)
    let run = sampler.run(
      makeDensity: { _ in Gaussian() }, starts: [[Double]](repeating: [0, 0, 0], count: 4),
      deviations: [1, 1, 1], warmStart: nil,
      makeStream: { RandomStream(seed: 5, purpose: "test/chain", index: UInt64($0)) })
    let result = try #require(run)
    let covariance = try #require(Cholesky(target.precision)).inverse()
    for p in 0..<3 {
      let found = moments(result.draws, p)
      #expect(abs(found.mean - target.mean[p]) < 4.5 * found.error)
      #expect(abs(found.deviation / covariance[p, p].squareRoot() - 1) < 0.05)
    }
    #expect(result.diagnostics.maximumRHat < 1.01)
    #expect(result.diagnostics.divergences == 0)
  }

  @Test(
    arguments: ["n12d5", "n40d14"], [SamplingSchedule.Algorithm.jitteredHMC, .noUTurn])
  func referencePosterior(set: String, algorithm: SamplingSchedule.Algorithm) throws {
    let data = try Goldens.logJoint(set).data
    let reference = try Goldens.reference(set)
    let features = data.points.columns
    let center = [0.5, 0, -3, -3] + [Double](repeating: -3.5, count: features)
    var starts: [[Double]] = []
    for c in 0..<4 { starts.append(center.enumerated().map { $1 + 0.3 * Double(($0 + c) % 3 - 1) }) }
    let sampler = PooledSampler(schedule: schedule(algorithm, draws: 2500), threads: 2)
    let run = sampler.run(
      makeDensity: { _ in SAASLogJoint(data) }, starts: starts,
      deviations: [0.7, 0.8, 1.2, 0.8] + [Double](repeating: 1.3, count: features), warmStart: nil,
      makeStream: { RandomStream(seed: 11, purpose: "test/chain", index: UInt64($0)) })
    let result = try #require(run)
    #expect(result.diagnostics.maximumRHat < 1.03)
    for p in 0..<(features + 4) {
      let found = moments(result.draws, p)
      let moments = p < 4 ? reference.u : reference.log_inv_length_sq
      let at = p < 4 ? p : p - 4
      let error = (found.error * found.error + moments.mcse[at] * moments.mcse[at]).squareRoot()
      let score = (found.mean - moments.mean[at]) / error
      #expect(abs(score) < 4.5, "parameter \(p): \(found.mean) against \(moments.mean[at]), \(score) standard errors")
      #expect(abs(found.deviation / moments.sd[at] - 1) < 0.2, "parameter \(p)")
    }
  }

  /// A mixture of two Gaussians in 20 dimensions, `below` nats apart in log mass at the same width, or one wider.
  private final class TwoModes: LogDensity {
    let dimension = 20
    /// Log weight and standard deviation of the mode at -6; that at +6 has 0 and 1.
    let weight: Double
    let deviation: Double

    init(weight: Double, deviation: Double) {
      self.weight = weight
      self.deviation = deviation
    }

    func evaluate(_ q: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>) -> Double {
      var logs = [0, weight - Double(dimension) * log(deviation)]
      let variances = [1, deviation * deviation]
      for d in 0..<dimension {
        for (m, center) in [6.0, -6].enumerated() { logs[m] -= 0.5 * (q[d] - center) * (q[d] - center) / variances[m] }
      }
      let top = max(logs[0], logs[1])
      let shares = logs.map { exp($0 - top) }
      let sum = shares[0] + shares[1]
      for d in 0..<dimension {
        gradient[d] = -(shares[0] * (q[d] - 6) / variances[0] + shares[1] * (q[d] + 6) / variances[1]) / sum
      }
      return top + log(sum)
    }
  }

  private func shares(weight: Double, deviation: Double) throws -> (low: [Int], relocated: Int) {
    var quick = schedule(.jitteredHMC, draws: 40)
    quick.warmup = 96
    let sampler = PooledSampler(schedule: quick, threads: 1)
    let run = sampler.run(
      makeDensity: { _ in TwoModes(weight: weight, deviation: deviation) },
      starts: (0..<4).map { c in [Double](repeating: c == 0 ? -6 : 6, count: 20) },
      deviations: [Double](repeating: 1, count: 20), warmStart: nil,
      makeStream: { RandomStream(seed: 6, purpose: "test/modes", index: UInt64($0)) })
    let result = try #require(run)
    return (result.draws.map { $0.count { $0[0] < 0 } }, result.diagnostics.relocatedChains)
  }

  @Test func chainsLeaveModesWithoutMassAndKeepTheOthers() throws {
    // 25 nats below: a share of 1e-11.
    let faint = try shares(weight: -25, deviation: 1)
    #expect(faint.low == [0, 0, 0, 0] && faint.relocated >= 1)
    // As much mass, in one place or spread wide (20 log 3 = 22 nats less density).
    for deviation in [1.0, 3] {
      let equal = try shares(weight: 0, deviation: deviation)
      #expect(equal.low == [40, 0, 0, 0] && equal.relocated == 0, "deviation \(deviation)")
    }
  }

  @Test func diagnosticsSeeWhatIsWrong() {
    var stream = RandomStream(seed: 1, purpose: "test/diagnostics")
    let independent = (0..<4).map { _ in (0..<500).map { _ in stream.normal() } }
    #expect(ChainDiagnostics.splitRHat(independent) < 1.02)
    let size = ChainDiagnostics.bulkEffectiveSampleSize(independent)
    #expect(size > 1500 && size < 2700)
    let separated = independent.enumerated().map { c, chain in chain.map { $0 + 3 * Double(c) } }
    #expect(ChainDiagnostics.splitRHat(separated) > 1.5)
    #expect(ChainDiagnostics.bulkEffectiveSampleSize(separated) < 20)
    let correlated = (0..<4).map { _ in
      var x = 0.0
      return (0..<2000).map { _ -> Double in
        x = 0.9 * x + stream.normal()
        return x
      }
    }
    let expected = 8000 * 0.1 / 1.9
    #expect(abs(ChainDiagnostics.bulkEffectiveSampleSize(correlated) / expected - 1) < 0.3)
    #expect(ChainDiagnostics.splitRHat([[Double](repeating: 2, count: 50)]) == 1)
  }

  @Test func modeHasNoGradient() throws {
    let golden = try Goldens.logJoint("n12d5")
    let density = try #require(SAASLogJoint(golden.data))
    let start = [0.5, 0, -3, -3] + [Double](repeating: -3.5, count: 5)
    let mode = try #require(PosteriorMode.find(density, starts: [start, start.map { $0 + 0.5 }]))
    let (value, gradient) = density(mode.position)
    #expect(value == mode.value && value > density(start).value)
    #expect(gradient.allSatisfy { abs($0) < 0.01 })
  }

  @Test(arguments: [0, 1, 11, 12, 24, 96, 128, 256, 512])
  func warmupPlanSpendsExactlyItsIterations(iterations: Int) {
    let plan = WarmupPlan(iterations: iterations)
    #expect(plan.phases.reduce(0) { $0 + $1.iterations } == iterations)
    let estimates = plan.phases.contains { $0.estimatesMetric }
    #expect(estimates == (iterations >= 12))
  }
}
