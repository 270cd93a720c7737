import Glibc
import RandomStreams

/// The standard normal distribution.
package enum NormalDistribution {
  /// The cumulative distribution function.
  package static func cumulative(_ x: Double) -> Double { 0.5 * erfc(-x / 2.0.squareRoot()) }

  /// The quantile function, to about 1e-15; 0 and 1 give the infinities.
  package static func quantile(_ probability: Double) -> Double {
    guard probability > 0 else { return -.infinity }
    guard probability < 1 else { return .infinity }
    return NormalQuantile.value(probability, cumulative: cumulative)
  }
}
