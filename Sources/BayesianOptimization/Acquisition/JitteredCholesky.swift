import LinearAlgebra

/// Cholesky factors of small posterior covariances, which are often singular to rounding.
enum JitteredCholesky {
  /// The lower factor (n x n, row-major) of `covariance` + jitter; the diagonal's roots when nothing else works.
  ///
  /// The jitter ladder is relative to the mean diagonal, so that it means the same in every unit.
  static func factor(_ covariance: Matrix) -> [Double] {
    let n = covariance.rows
    var mean = 0.0
    for i in 0..<n { mean += max(0, covariance[i, i]) / Double(max(1, n)) }
    if !(mean.isFinite && mean > 0) { mean = 1e-12 }
    for jitter in [1e-10, 1e-8, 1e-6, 1e-4] {
      if let factor = attempt(covariance, jitter: jitter * mean) { return factor }
    }
    var diagonal = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      let value = covariance[i, i]
      diagonal[i * n + i] = (value.isFinite && value > 0 ? value + 1e-4 * mean : 1e-4 * mean).squareRoot()
    }
    return diagonal
  }

  private static func attempt(_ covariance: Matrix, jitter: Double) -> [Double]? {
    let n = covariance.rows
    var factor = [Double](repeating: 0, count: n * n)
    let succeeded = factor.withUnsafeMutableBufferPointer { l in
      covariance.elements.withUnsafeBufferPointer { a in
        for i in 0..<n {
          for j in 0...i {
            var sum = a[i * n + j]
            if i == j { sum += jitter }
            for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
            if i == j {
              guard sum > 0.01 * jitter, sum.isFinite else { return false }
              l[i * n + i] = sum.squareRoot()
            } else {
              l[i * n + j] = sum / l[j * n + j]
            }
          }
        }
        return true
      }
    }
    return succeeded ? factor : nil
  }
}
