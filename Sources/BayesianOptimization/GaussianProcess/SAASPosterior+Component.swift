import CBLAS
import CKernels
import LinearAlgebra

/// Points as the covariance kernel wants them: centred, scaled by sqrt(rho), feature-major, padded to multiples of 8.
struct ScaledPoints: Sendable {
  /// Number of points.
  let count: Int
  /// `count` rounded up to a multiple of 8.
  let padded: Int
  /// D x padded.
  let elements: [Double]

  init(_ points: Matrix, center: [Double], roots: [Double]) {
    count = points.rows
    let padded = max(8, (points.rows + 7) / 8 * 8)
    self.padded = padded
    let features = points.columns
    let rows = points.rows
    elements = [Double](unsafeUninitializedCapacity: max(features * padded, 1)) { buffer, initialized in
      buffer.initialize(repeating: 0)
      points.elements.withUnsafeBufferPointer { x in
        for i in 0..<rows {
          for d in 0..<features { buffer[d * padded + i] = (x[i * features + d] - center[d]) * roots[d] }
        }
      }
      initialized = max(features * padded, 1)
    }
  }
}

extension SAASPosterior {
  /// The Gaussian process of one hyperparameter draw, factorised.
  struct Component: Sendable {
    let draw: HyperparameterDraw
    let factor: Cholesky
    /// K^-1 (y - m), N.
    let alpha: [Double]
    let relativeJitter: Double
    private let center: [Double]
    private let roots: [Double]
    private let training: ScaledPoints

    init?(data: SurrogateData, draw: HyperparameterDraw, center: [Double]) {
      guard draw.outputScale.isFinite, draw.mean.isFinite, draw.noise.isFinite, draw.outputScale > 0,
        draw.inverseSquaredLengthscales.allSatisfy({ $0.isFinite && $0 >= 0 })
      else { return nil }
      self.draw = draw
      self.center = center
      roots = draw.inverseSquaredLengthscales.map { $0.squareRoot() }
      training = ScaledPoints(data.points, center: center, roots: roots)
      var covariance = Self.covariance(training, training, draw: draw)
      for i in 0..<training.count {
        covariance[i, i] = draw.outputScale + draw.noise + (data.variances?[i] ?? 0)
      }
      guard let factor = Cholesky(covariance) else { return nil }
      self.factor = factor
      alpha = factor.solve(data.values.map { $0 - draw.mean })
      guard alpha.allSatisfy(\.isFinite) else { return nil }
      relativeJitter = factor.jitter / (draw.outputScale + draw.noise)
    }

    func scaled(_ points: Matrix) -> ScaledPoints { ScaledPoints(points, center: center, roots: roots) }

    /// s k(A, B), without padding, rows of A x columns of B.
    func covariance(_ a: ScaledPoints, _ b: ScaledPoints) -> Matrix { Self.covariance(a, b, draw: draw) }

    private static func paddedCovariance(_ a: ScaledPoints, _ b: ScaledPoints, draw: HyperparameterDraw) -> [Double] {
      [Double](unsafeUninitializedCapacity: a.padded * b.padded) { buffer, initialized in
        engram_matern52_cross(
          Int32(a.padded), Int32(b.padded), Int32(draw.inverseSquaredLengthscales.count), a.elements,
          Int32(a.padded), b.elements, Int32(b.padded), draw.outputScale, buffer.baseAddress)
        initialized = a.padded * b.padded
      }
    }

    private static func covariance(_ a: ScaledPoints, _ b: ScaledPoints, draw: HyperparameterDraw) -> Matrix {
      let padded = paddedCovariance(a, b, draw: draw)
      var result = Matrix(rows: a.count, columns: b.count)
      for i in 0..<a.count {
        for j in 0..<b.count { result.elements[i * b.count + j] = padded[i * b.padded + j] }
      }
      return result
    }

    /// Posterior means (padded) and B = L^-1 s k(X, X*), N x M (not padded).
    func whiten(_ points: ScaledPoints) -> (mean: [Double], whitened: Matrix) {
      let n = training.count
      let width = points.padded
      var mean = [Double](repeating: draw.mean, count: width)
      guard n > 0, points.count > 0 else { return (mean, Matrix(rows: n, columns: points.count)) }
      var cross = Self.paddedCovariance(training, points, draw: draw)
      cross.withUnsafeMutableBufferPointer { k in
        mean.withUnsafeMutableBufferPointer { y in
          engram_dgemv(
            Int32(EngramRowMajor), Int32(EngramTranspose), Int32(n), Int32(width), 1, k.baseAddress, Int32(width),
            alpha, 1, 1, y.baseAddress, 1)
        }
        factor.lower.elements.withUnsafeBufferPointer { l in
          engram_dtrsm(
            Int32(EngramRowMajor), Int32(EngramLeft), Int32(EngramLower), Int32(EngramNoTranspose),
            Int32(EngramNonUnit), Int32(n), Int32(width), 1, l.baseAddress, Int32(n), k.baseAddress, Int32(width))
        }
      }
      var whitened = Matrix(rows: n, columns: points.count)
      for i in 0..<n {
        for j in 0..<points.count { whitened.elements[i * points.count + j] = cross[i * width + j] }
      }
      return (mean, whitened)
    }

    /// Posterior variances s - diag(B' B), never below zero.
    func variances(_ whitened: Matrix) -> [Double] {
      var result = [Double](repeating: draw.outputScale, count: whitened.columns)
      whitened.elements.withUnsafeBufferPointer { b in
        result.withUnsafeMutableBufferPointer { v in
          for i in 0..<whitened.rows {
            let row = i * whitened.columns
            for j in 0..<whitened.columns { v[j] -= b[row + j] * b[row + j] }
          }
          for j in 0..<whitened.columns { v[j] = max(v[j], 0) }
        }
      }
      return result
    }
  }
}
