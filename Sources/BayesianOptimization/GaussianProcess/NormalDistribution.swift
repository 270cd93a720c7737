import Foundation

/// The standard normal distribution.
public enum NormalDistribution {
  /// The cumulative distribution function.
  public static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// The quantile function, to about 1e-15.
  ///
  /// The rational approximation of P. J. Acklam and one Halley step.
  ///
  /// - Parameter probability: in (0, 1); 0 and 1 give the infinities.
  public static func quantile(_ probability: Double) -> Double {
    guard probability > 0 else { return -.infinity }
    guard probability < 1 else { return .infinity }
    let a = [
      -3.969683028665376e+01, 2.209460984245205e+02, -2.759285104469687e+02, 1.383577518672690e+02,
      -3.066479806614716e+01, 2.506628277459239e+00,
    ]
    let b = [
      -5.447609879822406e+01, 1.615858368580409e+02, -1.556989798598866e+02, 6.680131188771972e+01,
      -1.328068155288572e+01, 1,
    ]
    let c = [
      -7.784894002430293e-03, -3.223964580411365e-01, -2.400758277161838e+00, -2.549732539343734e+00,
      4.374664141464968e+00, 2.938163982698783e+00,
    ]
    let d = [7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e+00, 3.754408661907416e+00, 1]
    func polynomial(_ coefficients: [Double], _ x: Double) -> Double { coefficients.reduce(0) { $0 * x + $1 } }
    let tail = min(probability, 1 - probability)
    var x: Double
    if tail > 0.02425 {
      let q = probability - 0.5
      x = q * polynomial(a, q * q) / polynomial(b, q * q)
    } else {
      let q = (-2 * log(tail)).squareRoot()
      x = polynomial(c, q) / polynomial(d, q)
      if probability > 0.5 { x = -x }
    }
    let error = cumulative(x) - probability
    let u = error * (2 * Double.pi).squareRoot() * exp(x * x / 2)
    x -= u / (1 + x * u / 2)
    return x
  }
}
