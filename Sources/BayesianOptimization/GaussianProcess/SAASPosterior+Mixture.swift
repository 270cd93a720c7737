import LinearAlgebra

extension SAASPosterior {
  /// Mean and variance of the mixture at each of `candidates` (m x D), in transformed units.
  ///
  /// mean = average of means; variance = average of variances + variance of means (divisor: number of draws).
  ///
  /// - Parameter includingNoise: whether the average inferred noise variance is added.
  package func mixture(at candidates: Matrix, includingNoise: Bool = false) -> (mean: [Double], variance: [Double]) {
    let count = candidates.rows
    var mean = [Double](repeating: 0, count: count)
    var within = mean
    var means: [[Double]] = []
    for draw in 0..<drawCount {
      let marginal = marginals(at: candidates, draw: draw)
      means.append(marginal.mean)
      for i in 0..<count {
        mean[i] += marginal.mean[i] / Double(drawCount)
        within[i] += (marginal.variance[i] + (includingNoise ? draws[draw].noise : 0)) / Double(drawCount)
      }
    }
    // The spread of the means is summed around their mean: the difference of squares would lose digits.
    for draw in 0..<drawCount {
      for i in 0..<count {
        let difference = means[draw][i] - mean[i]
        within[i] += difference * difference / Double(drawCount)
      }
    }
    return (mean, within)
  }

  /// Joint mean and covariance of the mixture at `points` (m x D), in transformed units.
  package func mixtureJoint(at points: Matrix) -> JointPosterior {
    let joints = (0..<drawCount).map { posterior(at: points, draw: $0) }
    let m = points.rows
    var mean = [Double](repeating: 0, count: m)
    var covariance = Matrix(rows: m, columns: m)
    for joint in joints { for i in 0..<m { mean[i] += joint.mean[i] / Double(drawCount) } }
    for joint in joints {
      for i in 0..<m {
        for j in 0..<m {
          let spread = (joint.mean[i] - mean[i]) * (joint.mean[j] - mean[j])
          covariance[i, j] += (joint.covariance[i, j] + spread) / Double(drawCount)
        }
      }
    }
    return JointPosterior(mean: mean, covariance: covariance)
  }

  /// What the model says of one observation without having seen it.
  package struct LeaveOneOut: Sendable, Hashable {
    /// Predictive mean and variance (noise included) of the mixture, in transformed units.
    package let mean: Double
    package let variance: Double
    /// (observed - mean) / sqrt(variance).
    package let standardizedResidual: Double
  }

  /// Leave-one-out predictions of all N observations, in closed form per draw.
  ///
  /// Rasmussen and Williams 2006, equation 5.12. The hyperparameter draws are those that saw all data.
  package func leaveOneOut() -> [LeaveOneOut] {
    let n = data.points.rows
    var mean = [Double](repeating: 0, count: n)
    var second = mean
    for component in components {
      let inverse = component.factor.inverse()
      for i in 0..<n {
        let left = data.values[i] - component.alpha[i] / inverse[i, i]
        mean[i] += left / Double(drawCount)
        second[i] += (1 / inverse[i, i] + left * left) / Double(drawCount)
      }
    }
    return (0..<n).map { i in
      let variance = max(second[i] - mean[i] * mean[i], .leastNormalMagnitude)
      return LeaveOneOut(
        mean: mean[i], variance: variance,
        standardizedResidual: (data.values[i] - mean[i]) / variance.squareRoot())
    }
  }
}

/// How much one factor matters: the posterior of its inverse squared lengthscale.
package struct FactorImportance: Sendable, Hashable, Codable {
  /// Index of the factor (feature).
  package let feature: Int
  /// Median over the draws of rho_d.
  package let median: Double
  /// Lower and upper end of the central 90 % interval over the draws.
  package let lower: Double
  package let upper: Double

  /// Importances of all features from hyperparameter draws.
  package static func of(_ draws: [HyperparameterDraw]) -> [FactorImportance] {
    guard let features = draws.first?.inverseSquaredLengthscales.count else { return [] }
    return (0..<features).map { d in
      let sorted = draws.map { $0.inverseSquaredLengthscales[d] }.sorted()
      func quantile(_ p: Double) -> Double {
        let position = p * Double(sorted.count - 1)
        let low = Int(position)
        let high = min(low + 1, sorted.count - 1)
        return sorted[low] + (position - Double(low)) * (sorted[high] - sorted[low])
      }
      return FactorImportance(feature: d, median: quantile(0.5), lower: quantile(0.05), upper: quantile(0.95))
    }
  }
}
