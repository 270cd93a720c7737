import Foundation
import LinearAlgebra

/// The log joint by its defining formulas: explicit differences, one Cholesky factorisation, no blocking.
///
/// Slow and plain, to test the kernel against; log-lambda coordinates and the SAAS prior only.
package enum SAASReference {
  /// The log joint density at u = [log s, m, log nu, log tau, log lam_d] and its gradient; `nil` when K is not
  /// positive definite.
  package static func logJoint(_ data: SurrogateData, at u: [Double]) -> (value: Double, gradient: [Double])? {
    let n = data.points.rows
    let features = data.points.columns
    let s = exp(u[0])
    let nu = exp(u[2])
    let rho = (0..<features).map { exp(u[3] + u[4 + $0]) }
    var kernel = Matrix(rows: n, columns: n)
    var slope = Matrix(rows: n, columns: n)
    for i in 0..<n {
      for j in 0..<n {
        let square = squaredDistance(data.points, i, j, rho)
        let r = (5 * square).squareRoot()
        kernel[i, j] = (1 + r + 5.0 / 3 * square) * exp(-r)
        slope[i, j] = -5.0 / 6 * (1 + r) * exp(-r)
      }
    }
    var covariance = Matrix(rows: n, columns: n, elements: kernel.elements.map { s * $0 })
    for i in 0..<n { covariance[i, i] += nu + SAASLogJoint.noiseFloor + (data.variances?[i] ?? 0) }
    guard let factor = Cholesky(covariance, ladder: [0]) else { return nil }
    let residual = data.values.map { $0 - u[1] }
    let alpha = factor.solve(residual)
    let inverse = factor.inverse()
    var gradient = [Double](repeating: 0, count: features + 4)
    var trace = 0.0
    for i in 0..<n {
      for j in 0..<n {
        let g = 0.5 * (alpha[i] * alpha[j] - inverse[i, j])
        gradient[0] += g * s * kernel[i, j]
        if i == j { trace += g }
        for d in 0..<features {
          let difference = data.points[i, d] - data.points[j, d]
          gradient[4 + d] += g * s * slope[i, j] * rho[d] * difference * difference
        }
      }
    }
    gradient[1] = alpha.reduce(0, +)
    gradient[2] = nu * trace
    let quadratic = zip(residual, alpha).reduce(0) { $0 + $1.0 * $1.1 }
    var value = -0.5 * quadratic - 0.5 * factor.logDeterminant - 0.5 * Double(n) * log(2 * Double.pi)
    value += SAASPriors.outputScale(s, logarithm: u[0], slope: &gradient[0])
    value += SAASPriors.mean(u[1], slope: &gradient[1]) + SAASPriors.noise(nu, logarithm: u[2], slope: &gradient[2])
    let tau = SAASPriors.halfCauchy(logarithm: u[3], scale: SAASPriors.globalShrinkage)
    value += tau.value
    gradient[3] = gradient[4...].reduce(0, +) + tau.slope
    for d in 0..<features {
      let local = SAASPriors.halfCauchy(logarithm: u[4 + d], scale: 1)
      value += local.value
      gradient[4 + d] += local.slope
    }
    return (value, gradient)
  }

  private static func squaredDistance(_ points: Matrix, _ i: Int, _ j: Int, _ rho: [Double]) -> Double {
    (0..<points.columns).reduce(0) {
      let difference = points[i, $1] - points[j, $1]
      return $0 + rho[$1] * difference * difference
    }
  }
}
