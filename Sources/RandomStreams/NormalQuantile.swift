import Glibc

/// The quantile function of the standard normal distribution.
public enum NormalQuantile {
  /// Φ⁻¹(p) for 0 < p < 1, to about 1e-15 relative.
  ///
  /// A rational start (P. J. Acklam, 2003) with one step of Halley's method.
  ///
  /// - Parameter cumulative: Φ, for the step. Two ways to round its argument differ in the last bit of some results; each use
  ///   keeps its own, so that studies go on with the same proposals.
  public static func value(_ p: Double, cumulative: (Double) -> Double = NormalQuantile.cumulative) -> Double {
    precondition(p > 0 && p < 1, "a probability strictly between 0 and 1, not \(p)")
    let x = start(p)
    let error = cumulative(x) - p
    let step = error * 2.506_628_274_631_000_5 * exp(0.5 * x * x)
    return x - step / (1 + 0.5 * x * step)
  }

  /// Φ(x), by the product with 1/√2.
  public static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x * 0.707_106_781_186_547_5) }

  private static func start(_ p: Double) -> Double {
    if p < 0.02425 { return tail((-2 * log(p)).squareRoot()) }
    if p > 1 - 0.02425 { return -tail((-2 * log(1 - p)).squareRoot()) }
    let q = p - 0.5
    let r = q * q
    let top =
      ((((-39.69683028665376 * r + 220.9460984245205) * r - 275.9285104469687) * r + 138.3577518672690) * r
        - 30.66479806614716) * r + 2.506628277459239
    let bottom =
      ((((-54.47609879822406 * r + 161.5858368580409) * r - 155.6989798598866) * r + 66.80131188771972) * r
        - 13.28068155288572) * r + 1
    return top * q / bottom
  }

  private static func tail(_ q: Double) -> Double {
    let top =
      ((((-0.007784894002430293 * q - 0.3223964580411365) * q - 2.400758277161838) * q - 2.549732539343734) * q
        + 4.374664141464968) * q + 2.938163982698783
    let bottom =
      (((0.007784695709041462 * q + 0.3224671290700398) * q + 2.445134137142996) * q + 3.754408661907416) * q + 1
    return top / bottom
  }
}
