import Foundation
import LinearAlgebra
import RandomStreams

/// Several chains with a common metric: they run side by side, and at the end of each warm-up window the metric is
/// estimated from the draws of all of them, each centred on its own mean.
struct PooledSampler {
  let schedule: SamplingSchedule
  /// Threads on which the chains run; results do not depend on it.
  let threads: Int

  /// The most leapfrog steps of a jittered trajectory while the metric is unknown, and afterwards.
  ///
  /// A poor metric wants tiny steps; long trajectories would spend most of the fit on it.
  private static let shortTrajectory = 20
  private static let longTrajectory = 60

  struct Result {
    /// Recorded draws of every chain, chains x draws x P.
    var draws: [[[Double]]]
    var warmStart: SurrogateWarmStart
    var diagnostics: SurrogateDiagnostics
    /// Chains that moved while they recorded.
    var moving: [Bool]
  }

  /// Runs chains from the given starts.
  ///
  /// - Parameters:
  ///   - makeDensity: a new evaluator for one chain.
  ///   - starts: a position for every chain.
  ///   - deviations: standard deviations of the first metric (cold).
  ///   - warmStart: an earlier state with as many chains and parameters, or `nil`.
  ///   - makeStream: the random stream of a chain.
  func run(
    makeDensity: (Int) -> (any LogDensity)?, starts: [[Double]], deviations: [Double],
    warmStart: SurrogateWarmStart?, makeStream: (Int) -> RandomStream
  ) -> Result? {
    let dimension = deviations.count
    var metric = SamplingMetric(standardDeviations: deviations)
    var prior = PooledCovariance(dimension: dimension)
    var isWarm = false
    if let warmStart, let covariance = warmStart.matrix(dimension: dimension),
      let warm = SamplingMetric(covariance: covariance, weight: warmStart.weight)
    {
      metric = warm
      prior = PooledCovariance(covariance: covariance, weight: min(warmStart.weight, 256) * 0.75)
      isWarm = true
    }
    var chains: [HamiltonianChain] = []
    for (c, start) in starts.enumerated() {
      guard let density = makeDensity(c) else { return nil }
      let chain = HamiltonianChain(
        density: density, start: start, metric: metric, stepSize: isWarm ? warmStart?.chains[c].stepSize : nil,
        schedule: schedule, stream: makeStream(c))
      if chain.value > -.infinity { chains.append(chain) }
    }
    guard !chains.isEmpty else { return nil }
    let plan =
      isWarm
      ? WarmupPlan(continuing: schedule.continuedWarmup) : WarmupPlan(iterations: schedule.warmup)
    let relocated = warmUp(chains, plan: plan, isWarm: isWarm, dimension: dimension)
    let warmupGradients = chains.reduce(0) { $0 + $1.gradients }
    let draws = isWarm ? schedule.continuedDraws : schedule.draws
    Parallel.forEach(chains, threads: threads) { chain in
      chain.clear()
      chain.run(iterations: draws, adapting: false)
    }
    for chain in chains { prior.add(chain.recorded) }
    var result = result(chains, prior: prior, warmupGradients: warmupGradients, isWarm: isWarm)
    result.diagnostics.relocatedChains = relocated
    return result
  }

  /// Runs the warm-up; the number of chains that were moved to the place of another one.
  private func warmUp(_ chains: [HamiltonianChain], plan: WarmupPlan, isWarm: Bool, dimension: Int) -> Int {
    var metric: SamplingMetric?
    var relocated = 0
    for (index, phase) in plan.phases.enumerated() {
      let updated = metric
      Parallel.forEach(chains, threads: threads) { chain in
        if let updated { chain.metric = updated }
        if updated != nil || index == 0 { chain.restartAdaptation(searching: !isWarm) }
        chain.maximumSteps = isWarm || index + 1 == plan.phases.count ? Self.longTrajectory : Self.shortTrajectory
        chain.clear()
        chain.run(iterations: phase.iterations, adapting: true)
      }
      metric = nil
      guard phase.estimatesMetric else { continue }
      var pooled = PooledCovariance(dimension: dimension)
      for chain in chains { pooled.add(chain.recorded) }
      relocated += Self.relocate(chains)
      metric = SamplingMetric(covariance: pooled.covariance, weight: pooled.weight)
    }
    return relocated
  }

  /// Moves chains that are caught in a mode without mass to the places of the others.
  ///
  /// With many points a chain may begin near a local mode that it would leave only after hundreds of iterations, and
  /// pooled draws would give that mode a share it does not have. Such a mode lies many standard deviations of the log
  /// density (sqrt(P/2) within a mode) below the best one and is not wide enough to make up for it. Only the warm-up
  /// is concerned, so that the chains' target stays what it is.
  static func relocate(_ chains: [HamiltonianChain]) -> Int {
    struct Place {
      var value: Double
      /// Value + log volume: the log mass but for a constant.
      var mass: Double
    }
    guard let dimension = chains.first?.dimension, chains.count > 1 else { return 0 }
    let places = chains.map { chain -> Place in
      let value = chain.recordedValues.reduce(0, +) / Double(max(1, chain.recordedValues.count))
      var own = PooledCovariance(dimension: dimension)
      own.add(chain.recorded)
      let covariance = own.covariance
      let volume = (0..<dimension).reduce(0) { $0 + 0.5 * log(max(covariance[$1, $1], 1e-12)) }
      return Place(value: value, mass: value + volume)
    }
    guard let best = places.max(by: { $0.value < $1.value }), best.value.isFinite else { return 0 }
    let gap = 3 * (Double(dimension) / 2).squareRoot()
    let caught = places.indices.filter {
      best.value - places[$0].value > gap && best.mass - places[$0].mass > gap / 2
    }
    let free = places.indices.filter { best.value - places[$0].value < gap }
    guard !free.isEmpty else { return 0 }
    for (k, index) in caught.enumerated() {
      let other = chains[free[k % free.count]]
      chains[index].move(to: other.position, gradient: other.gradient, value: other.value)
    }
    return caught.count
  }

  private func result(
    _ chains: [HamiltonianChain], prior: PooledCovariance, warmupGradients: Int, isWarm: Bool
  ) -> Result {
    var diagnostics = SurrogateDiagnostics()
    diagnostics.warmStarted = isWarm
    diagnostics.warmupGradients = warmupGradients
    diagnostics.samplingGradients = chains.reduce(0) { $0 + $1.gradients } - warmupGradients
    diagnostics.divergences = chains.reduce(0) { $0 + $1.divergences }
    let total = chains.reduce(0) { $0 + $1.recorded.count }
    diagnostics.meanAcceptance = chains.reduce(0) { $0 + $1.acceptanceSum } / Double(max(total, 1))
    diagnostics.stepSize = chains.reduce(0) { $0 + $1.stepSize } / Double(chains.count)
    diagnostics.draws = total
    diagnostics.stuckChains = chains.count { $0.accepted == 0 }
    let draws = chains.map(\.recorded)
    ChainDiagnostics.summarize(draws, into: &diagnostics)
    return Result(
      draws: draws,
      warmStart: SurrogateWarmStart(
        chains: chains.map { .init(position: $0.position, stepSize: $0.stepSize) }, covariance: prior.covariance,
        weight: prior.weight),
      diagnostics: diagnostics, moving: chains.map { $0.accepted > 0 })
  }
}
