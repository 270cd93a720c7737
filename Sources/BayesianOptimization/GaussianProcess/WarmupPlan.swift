import Foundation

/// The warm-up of a chain, cut into phases after which the metric may be re-estimated (as in Stan: a start that only
/// finds the typical set, windows that double, an end that only tunes the step size).
struct WarmupPlan: Sendable, Equatable {
  struct Phase: Sendable, Equatable {
    let iterations: Int
    /// Whether the metric is estimated from this phase's draws when it ends.
    let estimatesMetric: Bool
  }
  let phases: [Phase]

  /// Start 10 %, then windows that double from 15 (the last one takes what is left), end 15 %.
  init(iterations: Int) {
    guard iterations >= 12 else {
      phases = iterations > 0 ? [Phase(iterations: iterations, estimatesMetric: false)] : []
      return
    }
    let start = max(2, iterations / 10)
    let end = max(3, iterations * 15 / 100)
    var left = iterations - start - end
    var phases = [Phase(iterations: start, estimatesMetric: false)]
    var window = 15
    while left > 0 {
      let size = left >= 3 * window ? window : left
      phases.append(Phase(iterations: size, estimatesMetric: true))
      left -= size
      window *= 2
    }
    phases.append(Phase(iterations: end, estimatesMetric: false))
    self.phases = phases
  }

  /// One phase that keeps the metric.
  init(continuing iterations: Int) {
    phases = iterations > 0 ? [Phase(iterations: iterations, estimatesMetric: false)] : []
  }
}

/// Step size adaptation by dual averaging.
///
/// M. D. Hoffman, A. Gelman, "The No-U-Turn Sampler", JMLR 2014, section 3.2.
struct DualAveraging: Sendable {
  private let target: Double
  private let anchor: Double
  private var count = 0.0
  private var error = 0.0
  private var logStep: Double
  private var logAverage: Double

  init(stepSize: Double, target: Double) {
    self.target = target
    anchor = log(10 * stepSize)
    logStep = log(stepSize)
    logAverage = log(stepSize)
  }

  /// The step size to explore with.
  var current: Double { exp(min(max(logStep, -15), 3)) }
  /// The step size to sample with.
  var final: Double { count > 0 ? exp(min(max(logAverage, -15), 3)) : current }

  mutating func update(acceptance: Double) {
    count += 1
    let rate = 1 / (count + 10)
    error = (1 - rate) * error + rate * (target - acceptance)
    logStep = anchor - count.squareRoot() / 0.05 * error
    let weight = pow(count, -0.75)
    logAverage = weight * logStep + (1 - weight) * logAverage
  }
}
