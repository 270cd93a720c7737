import Foundation

/// A fitted, monotone map from an objective's values to the units of the Gaussian process.
public struct OutcomeTransform: Sendable, Hashable {
  /// Which family of transforms.
  public enum Kind: String, Sendable, Hashable, Codable {
    /// (y - mean) / sd with the sample standard deviation (divisor n - 1).
    case standardize
    /// Normal scores of the empirical distribution function, clipped to [1e-4, 0.9999] (the AutoPEFT choice).
    case normalCopula
  }
  package let kind: Kind
  /// Mean of the fitted values.
  package let mean: Double
  /// Sample standard deviation of the fitted values; 1 for constant values.
  package let scale: Double
  /// Whether the fitted values were equal (to rounding), or there was at most one.
  package let isConstant: Bool
  /// Distinct fitted values, ascending (`normalCopula`).
  let knots: [Double]
  /// Normal scores of `knots`; equal values share the middle of their ranks.
  let scores: [Double]

  /// Fits the transform to finite values.
  package init(_ kind: Kind, fitting values: [Double]) {
    precondition(values.allSatisfy(\.isFinite), "outcomes must be finite")
    self.kind = kind
    // Sums are taken of values / magnitude, so that neither 1e300 nor 1e-300 leaves the range of doubles.
    let magnitude = values.reduce(0) { max($0, abs($1)) }
    let unit = magnitude > 0 ? magnitude : 1
    let count = Double(values.count)
    let center = values.isEmpty ? 0 : values.reduce(0) { $0 + $1 / unit } / count
    let squares = values.reduce(0) { $0 + ($1 / unit - center) * ($1 / unit - center) }
    let deviation = values.count > 1 ? (squares / (count - 1)).squareRoot() : 0
    isConstant = !(deviation > 1e-14) || !(deviation * unit).isNormal
    mean = center * unit
    scale = isConstant ? 1 : deviation * unit
    guard kind == .normalCopula else {
      knots = []
      scores = []
      return
    }
    let sorted = values.sorted()
    var knots: [Double] = []
    var scores: [Double] = []
    var first = 0
    while first < sorted.count {
      var last = first
      while last + 1 < sorted.count, sorted[last + 1] == sorted[first] { last += 1 }
      knots.append(sorted[first])
      let rank = (Double(first + last) / 2 + 0.5) / count
      scores.append(NormalDistribution.quantile(min(max(rank, 1e-4), 0.9999)))
      first = last + 1
    }
    self.knots = knots
    self.scores = scores
  }

  /// Transforms a value of the objective; beyond the fitted range the copula is clipped.
  package func callAsFunction(_ value: Double) -> Double {
    switch kind {
    case .standardize: return isConstant ? value - mean : (value / scale - mean / scale)
    case .normalCopula: return Self.interpolate(value, from: knots, to: scores)
    }
  }

  /// Transforms values of the objective.
  package func callAsFunction(_ values: [Double]) -> [Double] { values.map { self($0) } }

  /// Transforms standard errors; for the copula by the mean slope of the transform.
  package func standardErrors(_ errors: [Double]) -> [Double] {
    switch kind {
    case .standardize: return errors.map { $0 / scale }
    case .normalCopula:
      guard let low = knots.first, let high = knots.last, high > low,
        let lowScore = scores.first, let highScore = scores.last
      else { return errors.map { _ in 0 } }
      let slope = (highScore - lowScore) / (high - low)
      return errors.map { $0 * slope }
    }
  }

  /// Mean and variance in the objective's units from those of the model.
  ///
  /// Exact for `standardize`. For `normalCopula` the quantile function is interpolated linearly and the variance is
  /// carried by the difference quotient over one standard deviation to either side.
  package func objectiveUnits(mean: Double, variance: Double) -> (mean: Double, variance: Double) {
    switch kind {
    case .standardize: return (mean * scale + self.mean, variance * scale * scale)
    case .normalCopula:
      let deviation = max(variance, 0).squareRoot()
      let center = Self.interpolate(mean, from: scores, to: knots)
      let high = Self.interpolate(mean + deviation, from: scores, to: knots)
      let low = Self.interpolate(mean - deviation, from: scores, to: knots)
      let half = high / 2 - low / 2
      return (center, half * half)
    }
  }

  /// Piecewise linear interpolation on ascending abscissas, constant beyond them.
  private static func interpolate(_ x: Double, from abscissas: [Double], to ordinates: [Double]) -> Double {
    guard let first = abscissas.first, let last = abscissas.last, let low = ordinates.first, let high = ordinates.last
    else { return 0 }
    if x <= first { return low }
    if x >= last { return high }
    var left = 0
    var right = abscissas.count - 1
    while right - left > 1 {
      let middle = (left + right) / 2
      if abscissas[middle] <= x { left = middle } else { right = middle }
    }
    let fraction = (x / 2 - abscissas[left] / 2) / (abscissas[right] / 2 - abscissas[left] / 2)
    return ordinates[left] * (1 - fraction) + ordinates[right] * fraction
  }
}
