import Foundation

/// Log prior densities over log parameters, normalising constants and Jacobians included.
enum SAASPriors {
  private static let halfLogTwoPi = 0.5 * log(2 * Double.pi)
  private static let noiseConstant = 0.9 * log(10.0) - lgamma(0.9)

  /// Gamma(2, 0.15) on s, as a density of log s.
  static func outputScale(_ s: Double, logarithm: Double) -> Double {
    2 * log(0.15) + 2 * logarithm - 0.15 * s
  }

  /// Normal(0, 1).
  static func mean(_ m: Double) -> Double { -0.5 * m * m - halfLogTwoPi }

  /// Gamma(0.9, 10) on nu, as a density of log nu.
  static func noise(_ nu: Double, logarithm: Double) -> Double {
    noiseConstant + 0.9 * logarithm - 10 * nu
  }

  /// HalfCauchy(scale) on x, as a density of log x, and its derivative by log x.
  static func halfCauchy(logarithm: Double, scale: Double) -> (value: Double, slope: Double) {
    let ratio = exp(logarithm) / scale
    let square = ratio * ratio
    return (log(2 / Double.pi) - log(scale) - log1p(square) + logarithm, (1 - square) / (1 + square))
  }

  /// Standard deviation of log rho under the `logNormal` prior, 2 sqrt 3.
  static let logNormalDeviation = 2 * 3.0.squareRoot()

  /// log l ~ Normal(sqrt 2 + log(D)/2, sqrt 3) in terms of log rho = -2 log l, as a standard score.
  static func logNormalScore(_ logRho: Double, features: Int) -> Double {
    (logRho + 2 * (2.0.squareRoot() + 0.5 * log(Double(max(features, 1))))) / logNormalDeviation
  }

  /// The density of log rho at a standard score.
  static func logNormalDensity(_ z: Double) -> Double { -0.5 * z * z - halfLogTwoPi - log(logNormalDeviation) }
}
