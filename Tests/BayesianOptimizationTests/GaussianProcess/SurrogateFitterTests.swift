import Foundation
import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct SurrogateFitterTests {
  private let short = SurrogateSettings(schedule: .short)

  private func check(_ fit: SurrogateFit, features: Int) {
    let points = Matrix(rows: 3, columns: features, repeating: 0.4)
    let mixture = fit.posterior.mixture(at: points)
    #expect(mixture.mean.allSatisfy { $0.isFinite })
    #expect(mixture.variance.allSatisfy { $0.isFinite && $0 >= 0 })
    #expect(fit.posterior.drawCount >= 1)
    #expect(fit.importances.count == features)
  }

  @Test func nothingDependsOnThreads() throws {
    let golden = try Goldens.logJoint("n40d14")
    let fits = [1, 2, 3].map {
      SurrogateFitter.fit(points: Matrix(golden.X), values: golden.y, seed: 3, index: 7, threads: $0)
    }
    for fit in fits {
      #expect(fit.posterior.draws == fits[0].posterior.draws)
      #expect(fit.warmStart == fits[0].warmStart)
      #expect(fit.diagnostics == fits[0].diagnostics)
    }
    let other = SurrogateFitter.fit(points: Matrix(golden.X), values: golden.y, seed: 3, index: 8)
    #expect(other.posterior.draws != fits[0].posterior.draws)
    #expect(fits[0].posterior.drawCount == 16)
    #expect(fits[0].fallback == .none)
    #expect(fits[0].diagnostics.maximumRHat < 1.3)
  }

  @Test func storedWarmStartContinuesExactly() throws {
    let golden = try Goldens.logJoint("n40d14")
    let points = Matrix(golden.X)
    let fewer = Array(0..<39)
    let first = SurrogateFitter.fit(
      points: points.selectingRows(fewer), values: fewer.map { golden.y[$0] }, seed: 3, index: 0)
    let state = try #require(first.warmStart)
    let stored = try JSONDecoder().decode(SurrogateWarmStart.self, from: JSONEncoder().encode(state))
    #expect(stored == state)
    let second = SurrogateFitter.fit(points: points, values: golden.y, seed: 3, index: 1, warmStart: stored)
    let again = SurrogateFitter.fit(points: points, values: golden.y, seed: 3, index: 1, warmStart: state)
    #expect(second.diagnostics.warmStarted && second.fallback == .none)
    #expect(second.posterior.draws == again.posterior.draws)
    let spent = second.diagnostics.warmupGradients + second.diagnostics.samplingGradients
    #expect(spent < (first.diagnostics.warmupGradients + first.diagnostics.samplingGradients) / 2)
    // A state of another dimension or number of chains is ignored.
    let reduced = Matrix(golden.X.map { Array($0.prefix(5)) })
    let cold = SurrogateFitter.fit(
      points: reduced, values: golden.y, settings: short, seed: 3, index: 1, warmStart: state)
    #expect(!cold.diagnostics.warmStarted)
  }

  @Test func continuedChainsKeepThePosterior() throws {
    // Twelve continued fits, pooled, have the moments of the long reference chains.
    let golden = try Goldens.logJoint("n40d14")
    let reference = try Goldens.reference("n40d14")
    var state: SurrogateWarmStart?
    var draws: [HyperparameterDraw] = []
    let settings = SurrogateSettings(
      schedule: SamplingSchedule(
        name: "test", algorithm: .jitteredHMC, chains: 4, warmup: 96, draws: 32, kept: 128, continuedDraws: 32))
    for index in 0..<12 {
      let fit = SurrogateFitter.fit(
        points: Matrix(golden.X), values: golden.y, settings: settings, seed: 5, index: index, warmStart: state)
      state = fit.warmStart
      draws += fit.posterior.draws
    }
    // The golden's values are standardised already, so that the fit's transform changes nothing.
    for d in 0..<14 {
      let logs = draws.map { log($0.inverseSquaredLengthscales[d]) }
      let mean = logs.reduce(0, +) / Double(logs.count)
      let expected = reference.log_inv_length_sq
      #expect(abs(mean - expected.mean[d]) < 0.3 * expected.sd[d], "\(mean) against \(expected.mean[d])")
    }
  }

  @Test func emptyHistoryGivesThePrior() {
    let fit = SurrogateFitter.fit(points: Matrix(rows: 0, columns: 4), values: [], seed: 1, index: 0)
    #expect(fit.fallback == .prior)
    #expect(fit.warmStart == nil)
    check(fit, features: 4)
    let unusable = SurrogateFitter.fit(
      points: Matrix(rows: 2, columns: 4), values: [.nan, .infinity], settings: short, seed: 1, index: 0)
    #expect(unusable.fallback == .prior)
    #expect(unusable.diagnostics.droppedPoints == 2)
  }

  @Test(arguments: [1, 2, 3, 5, 9, 20], [LengthscalePrior.sparseAxisAligned, .logNormal])
  func smallDataAreFitted(n: Int, prior: LengthscalePrior) {
    let features = n % 2 == 1 ? 1 : 4
    var stream = RandomStream(seed: 9, purpose: "test/small", index: UInt64(n))
    let points = Matrix(rows: n, columns: features, elements: (0..<(n * features)).map { _ in stream.uniform() })
    let values = (0..<n).map { _ in stream.normal() }
    let settings = SurrogateSettings(lengthscalePrior: prior, schedule: .short)
    let fit = SurrogateFitter.fit(points: points, values: values, settings: settings, seed: 1, index: n)
    #expect(fit.fallback == .none)
    check(fit, features: features)
  }

  @Test(arguments: 0..<60)
  func pathologicalDataAreAnswered(seed: Int) {
    var stream = RandomStream(seed: UInt64(seed), purpose: "test/pathological")
    let n = 1 + stream.integer(below: 30)
    let features = 1 + stream.integer(below: 6)
    let distinct = 1 + stream.integer(below: n)
    let rows = (0..<distinct).map { _ in
      (0..<features).map { _ in seed % 2 == 0 ? Double(stream.integer(below: 2)) : stream.uniform() }
    }
    let points = Matrix((0..<n).map { _ in rows[stream.integer(below: distinct)] })
    let scale = [1, 1e12, 1e-12, 0, 1e300, 1e-300][seed % 6]
    let offset = [0, 1, 1e12, -1e-12][seed % 4]
    var values = (0..<n).map { _ in offset + scale * stream.normal() }
    if seed % 5 == 0 { values[0] = .nan }
    if seed % 7 == 0 { values[n - 1] = -.infinity }
    let settings = SurrogateSettings(
      lengthscalePrior: seed % 3 == 0 ? .logNormal : .sparseAxisAligned,
      outcome: seed % 4 == 1 ? .normalCopula : .standardize, schedule: .short)
    let errors = seed % 3 == 1 ? (0..<n).map { i in i == 0 ? Double.nan : scale * stream.uniform() } : nil
    let fit = SurrogateFitter.fit(
      points: points, values: values, standardErrors: errors, settings: settings, seed: 1, index: seed)
    check(fit, features: features)
  }

  @Test func importancesFindTheActiveFactors() throws {
    var stream = RandomStream(seed: 4, purpose: "test/sparse")
    let rows = (0..<60).map { _ in (0..<8).map { _ in stream.uniform() } }
    let values = rows.map { sin(6 * $0[2]) + 2 * ($0[5] - 0.5) * ($0[5] - 0.5) + 0.05 * stream.normal() }
    let fit = SurrogateFitter.fit(points: Matrix(rows), values: values, seed: 2, index: 0, threads: 2)
    let order = fit.importances.sorted { $0.median > $1.median }.map(\.feature)
    #expect(Set(order.prefix(2)) == [2, 5])
    #expect(fit.importances.allSatisfy { $0.lower <= $0.median && $0.median <= $0.upper })
    let residuals = fit.posterior.leaveOneOut().map(\.standardizedResidual)
    #expect(residuals.reduce(0) { $0 + $1 * $1 } / 60 < 2)
  }

  @Test func knownNoiseIsUsed() throws {
    let golden = try Goldens.logJoint("n12d5")
    let fit = SurrogateFitter.fit(
      points: Matrix(golden.X), values: golden.y, standardErrors: [Double](repeating: 0.5, count: 12),
      settings: short, seed: 1, index: 0)
    let variances = try #require(fit.posterior.data.variances)
    #expect(variances.allSatisfy { abs($0 - 0.25 / (fit.transform.scale * fit.transform.scale)) < 1e-12 })
  }

  /// A sampler that is told to accept almost nothing: far too long steps, so that its diagnostics must fail.
  private static let reckless = SamplingSchedule(
    name: "reckless", algorithm: .jitteredHMC, chains: 2, warmup: 60, draws: 24, kept: 8, targetAcceptance: 0.02)

  @Test func failedDiagnosticsCallTheReferenceSampler() throws {
    let golden = try Goldens.logJoint("n12d5")
    let fit = SurrogateFitter.fit(
      points: Matrix(golden.X), values: golden.y, settings: SurrogateSettings(schedule: Self.reckless), seed: 1,
      index: 0)
    #expect(fit.fallback == .noUTurn && fit.complaint != nil)
    #expect(fit.diagnostics.complaint == nil && fit.diagnostics.meanAcceptance > 0.6)
    #expect(fit.posterior.drawCount == 8)
    check(fit, features: 5)
    // What took over can be continued, and is the same whatever the threads.
    #expect(fit.warmStart != nil)
    let again = SurrogateFitter.fit(
      points: Matrix(golden.X), values: golden.y, settings: SurrogateSettings(schedule: Self.reckless), seed: 1,
      index: 0, threads: 2)
    #expect(again.posterior.draws == fit.posterior.draws && again.complaint == fit.complaint)
  }

  @Test func aProposalRecordsThatTheReferenceSamplerTookOver() throws {
    let problem = try #require(AnalyticProblem.named("zdt1"))
    var stream = RandomStream(seed: 3, purpose: "test/fallback")
    let observations = try (0..<12).map { _ -> Observation in
      let configuration = problem.space.random(using: &stream)
      return Observation(configuration: configuration, objectives: try problem.evaluate(configuration))
    }
    let settings = SamplerSettings(
      initial: 2, surrogate: SurrogateSettings(schedule: Self.reckless), evaluations: 100, starts: 2)
    let sampler = settings.makeSampler(space: problem.space, objectives: problem.objectives)
    guard
      case .proposal(let proposal) = sampler.propose(ProposalRequest(seed: 1, index: 12, observations: observations))
    else {
      Issue.record("no proposal")
      return
    }
    #expect(proposal.source == "nehvi")
    #expect(proposal.fallbacks.contains { $0.hasPrefix("f2: nuts (") }, "\(proposal.fallbacks)")
  }

  @Test func everyComplaintHasItsReason() {
    var diagnostics = SurrogateDiagnostics()
    diagnostics.draws = 100
    diagnostics.meanAcceptance = 0.8
    #expect(diagnostics.complaint == nil)
    for change: (inout SurrogateDiagnostics) -> Void in [
      { $0.divergences = 11 }, { $0.meanAcceptance = 0.2 }, { $0.maximumRHat = 3 }, { $0.stuckChains = 1 },
    ] {
      var bad = diagnostics
      change(&bad)
      #expect(bad.complaint != nil)
    }
  }

  @Test func laddersLowerRungsAnswer() throws {
    let golden = try Goldens.logJoint("n12d5")
    let attempt = FitAttempt(
      settings: short, seed: 1, index: 0, label: "test", threads: 1,
      transform: OutcomeTransform(.standardize, fitting: golden.y), droppedPoints: 0)
    let mode = try #require(attempt.mode(golden.data))
    #expect(mode.fallback == .maximumAPosteriori)
    #expect(mode.posterior.drawCount == 1)
    check(mode, features: 5)
    let doubled = SurrogateData(
      points: Matrix(golden.X + golden.X), values: golden.y + golden.y.map { $0 + 2 },
      variances: [Double](repeating: 1, count: 24))
    let merged = doubled.mergingNearDuplicates(within: 1e-6)
    #expect(merged.points.rows == 12)
    #expect(largestDifference(merged.values, golden.y.map { $0 + 1 }) < 1e-12)
    #expect(merged.variances == [Double](repeating: 0.5, count: 12))
  }

  @Test func everyPresetHasItsName() {
    for preset in SamplingSchedule.presets { #expect(SamplingSchedule.named(preset.name) == preset) }
    #expect(SamplingSchedule.named("default") == .standard)
    #expect(SamplingSchedule.named("nonsense") == nil)
  }
}
