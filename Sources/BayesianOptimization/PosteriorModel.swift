import LinearAlgebra

/// The latent posterior of one outcome: a mixture over hyperparameter draws, each a Gaussian process.
///
/// Points are rows of an m x D matrix in the unit cube. Values are in the model's own (transformed, maximised) units;
/// observation noise is not included. The i-th draws of several outcomes are paired in acquisition functions.
package protocol PosteriorModel: Sendable {
  /// Number of hyperparameter draws in the mixture (at least 1).
  var drawCount: Int { get }

  /// Joint posterior of the latent function at `points` (m x D) under hyperparameter draw `draw`.
  func posterior(at points: Matrix, draw: Int) -> JointPosterior

  /// Marginal posterior at each of `candidates` (m x D) and its covariance with `baseline` (b x D), under draw `draw`.
  func posterior(at candidates: Matrix, baseline: Matrix, draw: Int) -> CandidatePosterior
}

/// A joint Gaussian over m points.
package struct JointPosterior: Sendable {
  /// Posterior means, m.
  package var mean: [Double]
  /// Posterior covariance, m x m.
  package var covariance: Matrix
  package init(mean: [Double], covariance: Matrix) {
    self.mean = mean
    self.covariance = covariance
  }
}

/// Marginals of m candidates with their covariances to b baseline points.
package struct CandidatePosterior: Sendable {
  /// Posterior means, m.
  package var mean: [Double]
  /// Posterior variances, m.
  package var variance: [Double]
  /// Posterior covariance of candidate (row) and baseline point (column), m x b.
  package var crossCovariance: Matrix
  package init(mean: [Double], variance: [Double], crossCovariance: Matrix) {
    self.mean = mean
    self.variance = variance
    self.crossCovariance = crossCovariance
  }
}
