import LinearAlgebra

/// A fitted, monotone map from an objective's values to the units of the Gaussian process.
public struct OutcomeTransform: Sendable, Hashable {
  /// Which family of transforms.
  public enum Kind: String, Sendable, Hashable, Codable {
    /// (y - mean) / sd with the sample standard deviation (divisor n - 1).
    case standardize
    /// Normal scores of the empirical distribution function, clipped to [1e-4, 0.9999] (the AutoPEFT choice).
    case normalCopula
  }
  public let kind: Kind
  /// Mean of the fitted values (`standardize`), 0 for the copula.
  public let mean: Double
  /// Scale of the fitted values; 1 for constant values.
  public let scale: Double
  /// Whether all fitted values were equal (to rounding) or there was at most one.
  public let isConstant: Bool
  /// Distinct fitted values, ascending (`normalCopula`).
  let knots: [Double]
  /// Normal scores of `knots`.
  let scores: [Double]

  /// Fits the transform to finite values.
  public init(_ kind: Kind, fitting values: [Double]) {
    self.kind = kind
    mean = 0
    scale = 1
    isConstant = true
    knots = []
    scores = []
  }
  /// Transforms values of the objective.
  public func callAsFunction(_ values: [Double]) -> [Double] { values }
  /// Mean and variance in the objective's units from those of the model.
  public func objectiveUnits(mean: Double, variance: Double) -> (mean: Double, variance: Double) { (mean, variance) }
}
