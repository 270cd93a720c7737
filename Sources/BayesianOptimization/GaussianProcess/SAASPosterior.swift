import LinearAlgebra

/// One draw of the hyperparameters.
public struct HyperparameterDraw: Sendable, Hashable, Codable {
  /// Variance of the latent function, s.
  public var outputScale: Double
  /// Constant mean, m.
  public var mean: Double
  /// Variance of the observation noise as predictions use it.
  public var noise: Double
  /// Inverse squared lengthscales, rho_1 ... rho_D.
  public var inverseSquaredLengthscales: [Double]

  public init(outputScale: Double, mean: Double, noise: Double, inverseSquaredLengthscales: [Double]) {
    self.outputScale = outputScale
    self.mean = mean
    self.noise = noise
    self.inverseSquaredLengthscales = inverseSquaredLengthscales
  }
}

/// The latent posterior of a Gaussian process with Matern-5/2 kernel: one component per hyperparameter draw.
public struct SAASPosterior: PosteriorModel {
  public let draws: [HyperparameterDraw]
  public var drawCount: Int { draws.count }
  public func posterior(at points: Matrix, draw: Int) -> JointPosterior {
    JointPosterior(
      mean: [Double](repeating: 0, count: points.rows), covariance: Matrix(rows: points.rows, columns: points.rows))
  }
  public func posterior(at candidates: Matrix, anchors: Matrix, draw: Int) -> AnchoredPosterior {
    AnchoredPosterior(
      mean: [Double](repeating: 0, count: candidates.rows),
      variance: [Double](repeating: 1, count: candidates.rows),
      crossCovariance: Matrix(rows: candidates.rows, columns: anchors.rows))
  }
}
