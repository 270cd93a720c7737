import Foundation
import LinearAlgebra
import RandomStreams

/// The rungs of the surrogate's ladder, with what they have in common.
struct FitAttempt {
  var settings: SurrogateSettings
  let seed: UInt64
  let index: Int
  let label: String
  let threads: Int
  let transform: OutcomeTransform
  let droppedPoints: Int

  private func stream(_ purpose: String) -> RandomStream {
    RandomStream(seed: seed, purpose: "surrogate/\(label)/\(purpose)", index: UInt64(truncatingIfNeeded: index))
  }

  private func evaluator(_ data: SurrogateData) -> SAASLogJoint? {
    SAASLogJoint(data, coordinates: .rho, prior: settings.lengthscalePrior)
  }

  /// Where the cold starts of one coordinate lie, and how wide its posterior is at first guess.
  private struct Start {
    let center: Double
    let spread: Double
    /// Standard deviation of the first metric: about what pooled chains find for standardised outcomes and tens of points; the
    /// warm-up replaces it.
    let deviation: Double

    /// log s: standardised outcomes have variance 1, and smooth functions want a little more (e^0.5).
    static let logOutputScale = Start(center: 0.5, spread: 0.5, deviation: 0.7)
    /// m, in standard deviations of the outcome.
    static let mean = Start(center: 0, spread: 0.5, deviation: 0.8)
    /// log nu: noise of 5 % of the outcome's variance (e^-3).
    static let logNoise = Start(center: -3, spread: 0.5, deviation: 1.2)
    /// log tau: half of the prior's scale of 0.1 (e^-3).
    static let logTau = Start(center: -3, spread: 0.5, deviation: 0.8)

    /// log rho: all factors nearly without influence, so that those that matter stand out by themselves; for the log-normal
    /// prior at its mean.
    static func logRho(_ prior: LengthscalePrior, features: Int) -> Start {
      let center = prior == .sparseAxisAligned ? -3.5 : SAASPriors.logNormalMean(features: features)
      return Start(center: center, spread: 0.7, deviation: 1.3)
    }
  }

  /// The starts of all coordinates, in the sampler's order.
  private func starts(features: Int) -> [Start] {
    let prior = settings.lengthscalePrior
    let first = [Start.logOutputScale, .mean, .logNoise] + (prior == .sparseAxisAligned ? [Start.logTau] : [])
    return first + [Start](repeating: .logRho(prior, features: features), count: features)
  }

  /// A dispersed start where the density is positive: up to 10 draws around the centre, ever closer to it.
  private func coldStart(_ stream: inout RandomStream, density: SAASLogJoint, features: Int) -> [Double] {
    let starts = starts(features: features)
    let center = starts.map(\.center)
    for attempt in 0..<10 {
      let width = 1 - Double(attempt) / 10
      var start = center.indices.map { center[$0] + width * starts[$0].spread * stream.normal() }
      if settings.lengthscalePrior == .sparseAxisAligned {
        // log rho = log tau + log lam: the spread of tau carries over to every rho.
        for d in 4..<start.count { start[d] += start[3] - center[3] }
      }
      if density(start).value > -.infinity { return start }
    }
    return center
  }

  /// The draws of the schedule's sampler; `nil` when no chain could be started or none moved.
  func sample(_ data: SurrogateData, warmStart: SurrogateWarmStart?, fallback: SurrogateFallback) -> SurrogateFit? {
    let features = data.points.columns
    guard let probe = evaluator(data) else { return nil }
    let chains = settings.schedule.chains
    let continued = warmStart.flatMap { state in
      state.fits(chainCount: chains, dimension: probe.dimension) && state.mayContinue(points: data.points.rows)
        && state.chains.allSatisfy { probe($0.position).value > -.infinity } ? state : nil
    }
    var climbing = 0
    let positions = (0..<chains).map { c in
      if let continued { return continued.chains[c].position }
      var stream = stream("start/\(c)")
      let start = coldStart(&stream, density: probe, features: features)
      // A few steps uphill from dispersed starts: with many points the way to the typical set would take most of the
      // warm-up and spoil the first estimates of the metric.
      guard let found = PosteriorMode.climb(probe, from: start, iterations: 25) else { return start }
      climbing += found.gradients
      return found.position
    }
    let sampler = PooledSampler(schedule: settings.schedule, threads: threads)
    let result = sampler.run(
      makeDensity: { _ in evaluator(data) }, starts: positions, deviations: starts(features: features).map(\.deviation),
      warmStart: continued, makeStream: { stream("chain/\($0)") })
    guard let result, result.moving.contains(true) else { return nil }
    let moving = result.draws.indices.filter { result.moving[$0] }.map { result.draws[$0] }
    let kept = Self.thin(moving, to: settings.schedule.kept).map { probe.hyperparameters(at: $0) }
    guard let posterior = SAASPosterior(data: data, draws: kept) else { return nil }
    var diagnostics = result.diagnostics
    diagnostics.warmupGradients += climbing
    diagnostics.jitter = posterior.jitter
    diagnostics.droppedPoints = droppedPoints
    var state = result.warmStart
    state.coldPoints = continued?.coldPoints ?? data.points.rows
    let all = moving.flatMap { $0 }.map { probe.hyperparameters(at: $0) }
    return SurrogateFit(
      posterior: posterior, transform: transform, warmStart: moving.count == chains ? state : nil,
      diagnostics: diagnostics, fallback: fallback == .none && posterior.jitter > 1e-7 ? .jitter : fallback,
      importances: FactorImportance.of(all))
  }

  /// `count` draws in total, evenly spaced in every chain and ending with its last draw.
  static func thin(_ chains: [[[Double]]], to count: Int) -> [[Double]] {
    chains.enumerated().flatMap { c, draws in
      let share = min(draws.count, count / chains.count + (c < count % chains.count ? 1 : 0))
      return (0..<share).map { draws[(($0 + 1) * draws.count) / share - 1] }
    }
  }

  /// One draw at the mode of the posterior; `nil` when no start has a positive density.
  func mode(_ data: SurrogateData) -> SurrogateFit? {
    let features = data.points.columns
    guard let density = evaluator(data) else { return nil }
    let starts = (0..<4).map { c in
      var stream = stream("mode/\(c)")
      return coldStart(&stream, density: density, features: features)
    }
    guard let best = PosteriorMode.find(density, starts: starts) else { return nil }
    let draw = density.hyperparameters(at: best.position)
    guard let posterior = SAASPosterior(data: data, draws: [draw]) else { return nil }
    return fallback(posterior, .maximumAPosteriori)
  }

  /// Draws from the prior, without data.
  func prior(features: Int) -> SurrogateFit {
    var stream = stream("prior")
    let draws = (0..<settings.schedule.kept).map { _ in
      SAASPriors.draw(&stream, features: features, prior: settings.lengthscalePrior)
    }
    return fallback(SAASPosterior(priorDraws: draws, features: features), .prior)
  }

  private func fallback(_ posterior: SAASPosterior, _ rung: SurrogateFallback) -> SurrogateFit {
    var diagnostics = SurrogateDiagnostics()
    diagnostics.droppedPoints = droppedPoints
    diagnostics.jitter = posterior.jitter
    return SurrogateFit(
      posterior: posterior, transform: transform, warmStart: nil, diagnostics: diagnostics, fallback: rung,
      importances: FactorImportance.of(posterior.draws))
  }
}
