import Foundation
import RandomStreams

/// One Markov chain: position, step size, random stream and work space.
final class HamiltonianChain: @unchecked Sendable {
  // Sendable: a chain is used by one thread at a time; `PooledSampler` waits for all threads between phases.

  /// Energy error beyond which a trajectory counts as divergent.
  static let divergenceThreshold = 1000.0

  let density: any LogDensity
  let dimension: Int
  var stream: RandomStream
  var metric: SamplingMetric
  var adaptation: DualAveraging
  var stepSize: Double
  /// The longest trajectory of jittered HMC in leapfrog steps.
  var maximumSteps = 60
  let schedule: SamplingSchedule

  private(set) var position: [Double]
  private(set) var gradient: [Double]
  private(set) var value: Double

  /// Draws recorded since the last call of `clear`.
  private(set) var recorded: [[Double]] = []
  /// Log densities of the recorded draws.
  private(set) var recordedValues: [Double] = []
  private(set) var divergences = 0
  private(set) var accepted = 0
  private(set) var acceptanceSum = 0.0
  var gradients = 0

  /// Quasi-random trajectory lengths: u_k = frac(u_0 + k / golden ratio).
  private var trajectory: Double

  init(
    density: any LogDensity, start: [Double], metric: SamplingMetric, stepSize: Double?, schedule: SamplingSchedule,
    stream: RandomStream
  ) {
    self.density = density
    dimension = density.dimension
    self.metric = metric
    self.schedule = schedule
    self.stream = stream
    self.stepSize = stepSize ?? 0.1
    adaptation = DualAveraging(stepSize: self.stepSize, target: schedule.targetAcceptance)
    position = start
    gradient = [Double](repeating: 0, count: dimension)
    trajectory = self.stream.uniform()
    value = -.infinity
    value = evaluate(position, &gradient)
  }

  /// Evaluates the density, counting.
  func evaluate(_ q: [Double], _ g: inout [Double]) -> Double {
    gradients += 1
    return g.withUnsafeMutableBufferPointer { g in
      q.withUnsafeBufferPointer { q in
        guard let g = g.baseAddress, let q = q.baseAddress else { return -.infinity }
        return density.evaluate(q, g)
      }
    }
  }

  /// Forgets recorded draws and statistics.
  func clear() {
    recorded = []
    recordedValues = []
    divergences = 0
    accepted = 0
    acceptanceSum = 0
  }

  /// Starts the step size adaptation again, from the present step size or from a heuristic one.
  func restartAdaptation(searching: Bool) {
    if searching { stepSize = reasonableStepSize() }
    adaptation = DualAveraging(stepSize: stepSize, target: schedule.targetAcceptance)
  }

  /// Runs `iterations` transitions, adapting the step size or recording only.
  func run(iterations: Int, adapting: Bool) {
    for _ in 0..<iterations {
      if adapting { stepSize = adaptation.current }
      let acceptance: Double
      switch schedule.algorithm {
      case .jitteredHMC: acceptance = jitteredTransition()
      case .noUTurn: acceptance = treeTransition()
      }
      acceptanceSum += acceptance
      if adapting { adaptation.update(acceptance: acceptance) }
      recorded.append(position)
      recordedValues.append(value)
    }
    if adapting, iterations > 0 { stepSize = adaptation.final }
  }

  /// Moves the chain to a state found by a transition.
  func move(to newPosition: [Double], gradient newGradient: [Double], value newValue: Double) {
    position = newPosition
    gradient = newGradient
    value = newValue
    accepted += 1
  }

  func recordDivergence() { divergences += 1 }

  func nextTrajectory() -> Double {
    trajectory += 0.6180339887498949
    if trajectory >= 1 { trajectory -= 1 }
    return trajectory
  }

  func momentum() -> [Double] { (0..<dimension).map { _ in stream.normal() } }

  /// A leapfrog step of whitened momentum p at (q, g): half a kick, drift, evaluation, half a kick.
  ///
  /// The result is the new value; minus infinity where the density cannot be computed.
  func leapfrog(_ q: inout [Double], _ p: inout [Double], _ g: inout [Double], step: Double) -> Double {
    kick(&p, g, 0.5 * step)
    drift(&q, p, step)
    let newValue = evaluate(q, &g)
    if newValue > -.infinity { kick(&p, g, 0.5 * step) }
    return newValue
  }

  func kick(_ p: inout [Double], _ g: [Double], _ step: Double) {
    p.withUnsafeMutableBufferPointer { p in
      g.withUnsafeBufferPointer { g in
        if let p = p.baseAddress, let g = g.baseAddress { metric.addTransposedProduct(step, g, to: p) }
      }
    }
  }

  func drift(_ q: inout [Double], _ p: [Double], _ step: Double) {
    q.withUnsafeMutableBufferPointer { q in
      p.withUnsafeBufferPointer { p in
        if let p = p.baseAddress, let q = q.baseAddress { metric.addProduct(step, p, to: q) }
      }
    }
  }

  static func kinetic(_ p: [Double]) -> Double { p.reduce(0) { $0 + 0.5 * $1 * $1 } }

  /// The step size at which one leapfrog step crosses an acceptance of 0.8 (Hoffman and Gelman 2014, algorithm 4).
  private func reasonableStepSize() -> Double {
    var step = min(max(stepSize, 1e-4), 1)
    var direction = 0.0
    for _ in 0..<24 {
      var q = position
      var p = momentum()
      var g = gradient
      let start = value - Self.kinetic(p)
      let end = leapfrog(&q, &p, &g, step: step) - Self.kinetic(p)
      let wanted = end - start > log(0.8) ? 1.0 : -1.0
      if direction == 0 { direction = wanted }
      if wanted != direction { break }
      step *= direction > 0 ? 2 : 0.5
    }
    return step
  }
}
