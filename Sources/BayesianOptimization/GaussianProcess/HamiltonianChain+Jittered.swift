import Foundation

extension HamiltonianChain {
  /// One transition of Hamiltonian Monte Carlo with ceil(2 u T / step) leapfrog steps, u quasi-random on (0, 1).
  ///
  /// The length does not depend on the state, so that the transition is reversible. The result is the acceptance
  /// probability.
  func jitteredTransition() -> Double {
    let wanted = (2 * nextTrajectory() * schedule.trajectoryLength / stepSize).rounded(.up)
    let steps = Int(min(max(wanted, 1), Double(maximumSteps)))
    var q = position
    var p = momentum()
    var g = gradient
    let start = value - Self.kinetic(p)
    var end = value
    kick(&p, g, 0.5 * stepSize)
    for step in 1...steps {
      drift(&q, p, stepSize)
      end = evaluate(q, &g)
      guard end > -.infinity else { break }
      kick(&p, g, step < steps ? stepSize : 0.5 * stepSize)
    }
    let change = end - Self.kinetic(p) - start
    let choice = log(stream.uniform())
    guard change > -Self.divergenceThreshold else {
      recordDivergence()
      return 0
    }
    if choice < change { move(to: q, gradient: g, value: end) }
    return min(1, exp(change))
  }
}
