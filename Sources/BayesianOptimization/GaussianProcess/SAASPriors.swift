import Foundation

/// Log prior densities over log parameters, normalising constants and Jacobians included.
///
/// Each function returns the density and adds its derivative by the logarithm (of the mean: by itself) to `slope`.
enum SAASPriors {
  /// Rate of the Gamma(2, rate) prior of the outputscale.
  static let outputScaleRate = 0.15
  /// Shape and rate of the Gamma prior of the noise variance.
  static let noiseShape = 0.9
  static let noiseRate = 10.0
  /// Scale of the half-Cauchy prior of tau.
  static let globalShrinkage = 0.1

  private static let halfLogTwoPi = 0.5 * log(2 * Double.pi)
  private static let noiseConstant = noiseShape * log(noiseRate) - lgamma(noiseShape)

  /// Gamma(2, 0.15) on s, as a density of log s.
  static func outputScale(_ s: Double, logarithm: Double, slope: inout Double) -> Double {
    slope = slope + 2 - outputScaleRate * s
    return 2 * log(outputScaleRate) + 2 * logarithm - outputScaleRate * s
  }

  /// Normal(0, 1).
  static func mean(_ m: Double, slope: inout Double) -> Double {
    slope -= m
    return -0.5 * m * m - halfLogTwoPi
  }

  /// Gamma(0.9, 10) on nu, as a density of log nu.
  static func noise(_ nu: Double, logarithm: Double, slope: inout Double) -> Double {
    slope = slope + noiseShape - noiseRate * nu
    return noiseConstant + noiseShape * logarithm - noiseRate * nu
  }

  /// HalfCauchy(scale) on x, as a density of log x, and its derivative by log x.
  ///
  /// The derivative is returned: tau's collects those of every lam_d.
  static func halfCauchy(logarithm: Double, scale: Double) -> (value: Double, slope: Double) {
    let ratio = exp(logarithm) / scale
    let square = ratio * ratio
    return (log(2 / Double.pi) - log(scale) - log1p(square) + logarithm, (1 - square) / (1 + square))
  }

  /// Standard deviation of log rho under the `logNormal` prior, 2 sqrt 3.
  static let logNormalDeviation = 2 * 3.0.squareRoot()

  /// Mean of log rho under the `logNormal` prior: log l ~ Normal(sqrt 2 + log(D)/2, sqrt 3), log rho = -2 log l.
  static func logNormalMean(features: Int) -> Double { -2 * (2.0.squareRoot() + 0.5 * log(Double(max(features, 1)))) }

  /// The `logNormal` prior of log rho.
  static func logNormal(_ logRho: Double, features: Int, slope: inout Double) -> Double {
    let z = (logRho - logNormalMean(features: features)) / logNormalDeviation
    slope -= z / logNormalDeviation
    return -0.5 * z * z - halfLogTwoPi - log(logNormalDeviation)
  }
}
