// Learned probability that a configuration fits in memory.
//
// Logistic regression with a Gaussian prior on the weights (maximum a posteriori by Newton's method). Memory need grows
// with the size of the injected memory, so that a memory space adds the logarithms of its block count and rank to the
// encoded columns; they carry a wide prior, the single columns a narrow one.

import Glibc
import LinearAlgebra

/// Probability of feasibility, learned from completed and out-of-memory observations.
struct FeasibilityModel: Sendable {
  private let space: SearchSpace
  private let weights: [Double]
  /// Below this probability a candidate is taken only when there is nothing else.
  static let threshold = 0.9

  /// Fits the model; nil when no observation is infeasible (nothing to learn).
  init?(space: SearchSpace, feasible: [[Int]], infeasible: [[Int]]) {
    guard !infeasible.isEmpty else { return nil }
    self.space = space
    let rows = (feasible + infeasible).map { Self.features(space, $0) }
    let labels = [Double](repeating: 1, count: feasible.count) + [Double](repeating: 0, count: infeasible.count)
    weights = Self.fit(rows, labels, precisions: Self.precisions(space))
  }

  /// log P(feasible) with a penalty that keeps candidates below the threshold behind all others.
  func logWeight(_ levels: [Int]) -> Double {
    let probability = probability(levels)
    let logarithm = log(max(probability, 1e-300))
    return probability < Self.threshold ? logarithm - 1e6 * (Self.threshold - probability + 0.01) : logarithm
  }

  /// P(feasible).
  func probability(_ levels: [Int]) -> Double {
    Self.sigmoid(zip(weights, Self.features(space, levels)).reduce(0) { $0 + $1.0 * $1.1 })
  }

  /// [1, log blocks, log rank (memory spaces), encoded columns − 1/2].
  private static func features(_ space: SearchSpace, _ levels: [Int]) -> [Double] {
    var result = [1.0]
    if let layout = space.layout {
      let blocks = layout.space.placement.blocks(active: layout.active(levels).count, count: layout.count(levels))
      result.append(log(Double(max(1, blocks))))
      result.append(log(Double(layout.ranks[layout.rankIndex(levels)])))
    }
    return result + space.encode(levels: levels).map { $0 - 0.5 }
  }

  /// Prior precisions: sizes get a wide prior, single columns a narrow one.
  private static func precisions(_ space: SearchSpace) -> [Double] {
    let sizes = space.layout == nil ? 0 : 2
    let column = space.layout == nil ? 0.1 : 4.0
    return [0.01] + [Double](repeating: 0.02, count: sizes) + [Double](repeating: column, count: space.dimension)
  }

  private static func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-max(-700, min(700, x)))) }

  /// The weights (p) of the largest posterior density, from rows (n x p) and labels (n; 1 feasible, 0 not).
  private static func fit(_ rows: [[Double]], _ labels: [Double], precisions: [Double]) -> [Double] {
    let p = precisions.count
    var weights = [Double](repeating: 0, count: p)
    var current = objective(rows, labels, weights, precisions)
    for _ in 0..<40 {
      // 1) gradient Xᵀ(y − P) − Λw, p
      var gradient = zip(weights, precisions).map { -$0 * $1 }
      // 2) negative Hessian Xᵀ diag(P(1 − P)) X + Λ, p x p
      var hessian = Matrix(rows: p, columns: p)
      for (row, label) in zip(rows, labels) {
        let probability = sigmoid(zip(weights, row).reduce(0) { $0 + $1.0 * $1.1 })
        let curvature = max(1e-10, probability * (1 - probability))
        for i in 0..<p {
          gradient[i] += (label - probability) * row[i]
          for j in 0...i { hessian[i, j] += curvature * row[i] * row[j] }
        }
      }
      for i in 0..<p {
        hessian[i, i] += precisions[i]
        for j in 0..<i { hessian[j, i] = hessian[i, j] }
      }
      // 3) Newton's step, H step = gradient
      let triangle = LowerTriangle(factorizing: hessian)
      let step = triangle.solve(triangle.solve(gradient), transposed: true)
      // 4) halved until the objective grows
      var scale = 1.0
      var moved = false
      while scale > 1e-4 {
        let trial = zip(weights, step).map { $0 + scale * $1 }
        let value = objective(rows, labels, trial, precisions)
        if value > current {
          moved = value - current > 1e-9 * max(1, abs(current))
          weights = trial
          current = value
          break
        }
        scale /= 2
      }
      if !moved { break }
    }
    return weights
  }

  private static func objective(
    _ rows: [[Double]], _ labels: [Double], _ weights: [Double], _ precisions: [Double]
  ) -> Double {
    var sum = -0.5 * zip(weights, precisions).reduce(0) { $0 + $1.0 * $1.0 * $1.1 }
    for (row, label) in zip(rows, labels) {
      let x = zip(weights, row).reduce(0) { $0 + $1.0 * $1.1 }
      sum -= label == 1 ? log1p(exp(-max(-700, x))) : log1p(exp(min(700, x)))
    }
    return sum
  }
}
