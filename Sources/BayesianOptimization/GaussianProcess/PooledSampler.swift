import Foundation
import LinearAlgebra
import RandomStreams
import Synchronization

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
    warmUp(chains, plan: plan, isWarm: isWarm, dimension: dimension)
    let warmupGradients = chains.reduce(0) { $0 + $1.gradients }
    let draws = isWarm ? schedule.continuedDraws : schedule.draws
    forEach(chains) { chain in
      chain.clear()
      chain.run(iterations: draws, adapting: false)
    }
    for chain in chains { prior.add(chain.recorded) }
    return result(chains, prior: prior, warmupGradients: warmupGradients, isWarm: isWarm)
  }

  private func warmUp(_ chains: [HamiltonianChain], plan: WarmupPlan, isWarm: Bool, dimension: Int) {
    var metric: SamplingMetric?
    for (index, phase) in plan.phases.enumerated() {
      let updated = metric
      forEach(chains) { chain in
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
      metric = SamplingMetric(covariance: pooled.covariance, weight: pooled.weight)
    }
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

  /// Applies `body` to every chain, on as many threads as allowed; returns when all are done.
  private func forEach(_ chains: [HamiltonianChain], _ body: @Sendable (HamiltonianChain) -> Void) {
    let workers = min(threads, chains.count)
    guard workers > 1 else {
      for chain in chains { body(chain) }
      return
    }
    let next = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      while true {
        let index = next.withLock { value in
          defer { value += 1 }
          return value
        }
        guard index < chains.count else { return }
        body(chains[index])
      }
    }
  }
}
