// The log joint density of the SAAS Gaussian process and its gradient.
//
// D. Eriksson, M. Jankowiak, "High-Dimensional Bayesian Optimization with Sparse Axis-Aligned Subspaces", UAI 2021;
// priors and constants as in BoTorch (SaasFullyBayesianSingleTaskGP).
//
// | symbol | meaning                                    | prior                               |
// |--------|--------------------------------------------|-------------------------------------|
// | s      | outputscale                                | Gamma(2, 0.15)                      |
// | m      | constant mean                              | Normal(0, 1)                        |
// | nu     | noise variance; nu + 1e-4 enters K         | Gamma(0.9, 10)                      |
// | tau    | global shrinkage                           | HalfCauchy(0.1)                     |
// | lam_d  | local shrinkage                            | HalfCauchy(1)                       |
// | rho_d  | tau lam_d, inverse squared lengthscale     | (implied)                           |
//
// Densities are over the logarithms of s, nu, tau, lam_d (their Jacobians included); m is not transformed.
import CKernels
import Foundation
import LinearAlgebra

/// The transformed data of one outcome.
package struct SurrogateData: Sendable {
  /// Points, N x D, in the unit cube.
  package let points: Matrix
  /// Transformed values, N.
  package let values: [Double]
  /// Known noise variances in the units of `values`, N; `nil` when the noise is only inferred.
  package let variances: [Double]?

  package init(points: Matrix, values: [Double], variances: [Double]? = nil) {
    precondition(points.rows == values.count && variances?.count ?? values.count == values.count, "sizes differ")
    self.points = points
    self.values = values
    self.variances = variances
  }
}

/// Which logarithms stand for the D inverse lengthscales.
package enum SAASCoordinates: Sendable {
  /// [log s, m, log nu, log tau, log lam_1 ... log lam_D]: the reference's order.
  case lambda
  /// [log s, m, log nu, log tau, log rho_1 ... log rho_D] with log rho_d = log tau + log lam_d: the sampler's. The
  /// Jacobian of the change is 1.
  case rho
}

/// A differentiable log density on R^P.
protocol LogDensity: AnyObject {
  /// P.
  var dimension: Int { get }
  /// The log density at `position` (P) with its gradient (P); minus infinity, and an undefined gradient, where it
  /// cannot be computed.
  func evaluate(_ position: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>) -> Double
}

/// Evaluates the log joint density of hyperparameters and data.
///
/// One evaluator serves one thread.
package final class SAASLogJoint: LogDensity {
  /// Added to the sampled noise variance inside K (BoTorch's MIN_INFERRED_NOISE_LEVEL).
  package static let noiseFloor = 1e-4
  /// The largest magnitude of a logarithm; beyond it the density counts as zero.
  static let bound = 80.0

  let coordinates: SAASCoordinates
  let prior: LengthscalePrior
  let features: Int
  private let state: OpaquePointer
  private let rho: UnsafeMutablePointer<Double>
  private let inner: UnsafeMutablePointer<Double>

  /// Number of parameters: D + 4, or D + 3 for the `logNormal` prior, which has no tau.
  package var dimension: Int { offset + features }
  /// Index of the first lengthscale parameter.
  var offset: Int { prior == .sparseAxisAligned ? 4 : 3 }

  /// `nil` without data (N = 0) or memory.
  package init?(
    _ data: SurrogateData, coordinates: SAASCoordinates = .rho, prior: LengthscalePrior = .sparseAxisAligned,
    version: GradientKernel = .best
  ) {
    guard
      let state = engram_saas_create(
        Int32(data.points.rows), Int32(data.points.columns), data.points.elements, data.values, data.variances,
        Int32(version.rawValue))
    else { return nil }
    self.state = state
    self.coordinates = coordinates
    self.prior = prior
    features = data.points.columns
    rho = .allocate(capacity: features + 1)
    inner = .allocate(capacity: features + 3)
    rho.initialize(repeating: 0, count: features + 1)
    inner.initialize(repeating: 0, count: features + 3)
  }

  deinit {
    engram_saas_destroy(state)
    rho.deallocate()
    inner.deallocate()
  }

  /// The log joint density at `position` (dimension) and its gradient.
  package func callAsFunction(_ position: [Double]) -> (value: Double, gradient: [Double]) {
    precondition(position.count == dimension, "sizes differ")
    var gradient = [Double](repeating: 0, count: dimension)
    let value = gradient.withUnsafeMutableBufferPointer { g in
      position.withUnsafeBufferPointer { q in
        guard let g = g.baseAddress, let q = q.baseAddress else { return -Double.infinity }
        return evaluate(q, g)
      }
    }
    return (value, gradient)
  }

  func evaluate(_ q: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>) -> Double {
    for i in 0..<dimension where !(abs(q[i]) <= Self.bound) { return -.infinity }
    let s = exp(q[0])
    let mean = q[1]
    let nu = exp(q[2])
    // With the log-lambda coordinates log tau is added to get log rho, with the log-rho ones subtracted to get lambda.
    let isLambda = prior == .sparseAxisAligned && coordinates == .lambda
    for d in 0..<features { rho[d] = exp(q[offset + d] + (isLambda ? q[3] : 0)) }
    let likelihood = engram_saas_evaluate(state, s, mean, nu + Self.noiseFloor, rho, inner)
    guard likelihood > -.infinity else { return -.infinity }
    gradient[0] = inner[0]
    gradient[1] = inner[1]
    gradient[2] = inner[2] * nu
    var value = likelihood + SAASPriors.outputScale(s, logarithm: q[0], slope: &gradient[0])
    value += SAASPriors.mean(mean, slope: &gradient[1]) + SAASPriors.noise(nu, logarithm: q[2], slope: &gradient[2])
    switch prior {
    case .sparseAxisAligned: value += addShrinkage(q, gradient, isLambda: isLambda)
    case .logNormal:
      for d in 0..<features {
        gradient[3 + d] = inner[3 + d]
        value += SAASPriors.logNormal(q[3 + d], features: features, slope: &gradient[3 + d])
      }
    }
    guard value.isFinite else { return -.infinity }
    for i in 0..<dimension where !gradient[i].isFinite { return -.infinity }
    return value
  }

  /// Priors of tau and lam_d, and the gradients by them.
  private func addShrinkage(
    _ q: UnsafePointer<Double>, _ gradient: UnsafeMutablePointer<Double>, isLambda: Bool
  ) -> Double {
    let tau = SAASPriors.halfCauchy(logarithm: q[3], scale: SAASPriors.globalShrinkage)
    var value = tau.value
    var sum = 0.0
    for d in 0..<features {
      let local = SAASPriors.halfCauchy(logarithm: isLambda ? q[4 + d] : q[4 + d] - q[3], scale: 1)
      value += local.value
      gradient[4 + d] = inner[3 + d] + local.slope
      sum += isLambda ? inner[3 + d] : -local.slope
    }
    gradient[3] = tau.slope + sum
    return value
  }

  /// The draw at a position, as predictions use it: BoTorch loads max(nu, 1e-4), not nu + 1e-4.
  func hyperparameters(at q: [Double]) -> HyperparameterDraw {
    let shift = prior == .sparseAxisAligned && coordinates == .lambda ? q[3] : 0
    return HyperparameterDraw(
      outputScale: exp(q[0]), mean: q[1], noise: max(exp(q[2]), Self.noiseFloor),
      inverseSquaredLengthscales: (0..<features).map { exp(q[offset + $0] + shift) })
  }
}
