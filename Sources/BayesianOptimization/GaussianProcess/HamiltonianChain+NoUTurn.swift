// The No-U-Turn sampler with multinomial sampling of the trajectory.
//
// M. D. Hoffman, A. Gelman, "The No-U-Turn Sampler", JMLR 2014; M. Betancourt, "A Conceptual Introduction to
// Hamiltonian Monte Carlo", 2017, appendix A; termination with the checks across subtrees of Stan.
import Foundation

extension HamiltonianChain {
  /// One end of a trajectory.
  private struct End {
    var q: [Double]
    var p: [Double]
    var g: [Double]
  }

  /// A part of a trajectory, `near` being the end where it was begun.
  private struct Tree {
    var near: End
    var far: End
    /// Sum of the momenta.
    var sum: [Double]
    var proposal: (q: [Double], g: [Double], value: Double)
    /// log of the sum of exp(energy change).
    var logWeight: Double
    var isValid: Bool
    var acceptance: Double
    var count: Double
  }

  /// One transition; the mean acceptance probability over the tree.
  func treeTransition() -> Double {
    let p = momentum()
    let start = value - Self.kinetic(p)
    var left = End(q: position, p: p, g: gradient)
    var right = left
    var sum = p
    var logWeight = 0.0
    var acceptance = 0.0
    var count = 0.0
    var chosen: (q: [Double], g: [Double], value: Double)?
    for depth in 0..<schedule.maximumTreeDepth {
      let forward = stream.uniform() < 0.5
      let tree = build(from: forward ? right : left, direction: forward ? 1 : -1, depth: depth, start: start)
      acceptance += tree.acceptance
      count += tree.count
      guard tree.isValid else { break }
      if log(stream.uniform()) < tree.logWeight - logWeight { chosen = tree.proposal }
      logWeight = Self.logAdd(logWeight, tree.logWeight)
      let oldSum = sum
      for i in 0..<dimension { sum[i] += tree.sum[i] }
      let inner = forward ? right : left
      if forward { right = tree.far } else { left = tree.far }
      // The whole, and each part with the first momentum of the other.
      let outer = forward ? left : right
      if Self.turns(sum, left.p, right.p) { break }
      if Self.turns(Self.add(oldSum, tree.near.p), outer.p, tree.near.p) { break }
      if Self.turns(Self.add(tree.sum, inner.p), inner.p, tree.far.p) { break }
    }
    if let chosen { move(to: chosen.q, gradient: chosen.g, value: chosen.value) }
    return count > 0 ? acceptance / count : 0
  }

  private func build(from end: End, direction: Double, depth: Int, start: Double) -> Tree {
    guard depth > 0 else { return leaf(from: end, direction: direction, start: start) }
    var first = build(from: end, direction: direction, depth: depth - 1, start: start)
    guard first.isValid else { return first }
    let second = build(from: first.far, direction: direction, depth: depth - 1, start: start)
    first.acceptance += second.acceptance
    first.count += second.count
    guard second.isValid else {
      first.isValid = false
      return first
    }
    let total = Self.logAdd(first.logWeight, second.logWeight)
    if log(stream.uniform()) < second.logWeight - total { first.proposal = second.proposal }
    first.logWeight = total
    let sum = Self.add(first.sum, second.sum)
    first.isValid =
      !Self.turns(sum, first.near.p, second.far.p)
      && !Self.turns(Self.add(first.sum, second.near.p), first.near.p, second.near.p)
      && !Self.turns(Self.add(second.sum, first.far.p), first.far.p, second.far.p)
    first.sum = sum
    first.far = second.far
    return first
  }

  private func leaf(from end: End, direction: Double, start: Double) -> Tree {
    var end = end
    let newValue = leapfrog(&end.q, &end.p, &end.g, step: direction * stepSize)
    let change = newValue - Self.kinetic(end.p) - start
    let isValid = change > -Self.divergenceThreshold
    if !isValid { recordDivergence() }
    return Tree(
      near: end, far: end, sum: end.p, proposal: (end.q, end.g, newValue),
      logWeight: isValid ? change : -.infinity, isValid: isValid, acceptance: isValid ? min(1, exp(change)) : 0,
      count: 1)
  }

  private static func turns(_ sum: [Double], _ a: [Double], _ b: [Double]) -> Bool {
    var first = 0.0
    var second = 0.0
    for i in sum.indices {
      first += sum[i] * a[i]
      second += sum[i] * b[i]
    }
    return !(first > 0 && second > 0)
  }

  private static func add(_ a: [Double], _ b: [Double]) -> [Double] {
    var result = a
    for i in b.indices { result[i] += b[i] }
    return result
  }

  private static func logAdd(_ a: Double, _ b: Double) -> Double {
    let high = max(a, b)
    return high == -.infinity ? high : high + log1p(exp(min(a, b) - high))
  }
}
