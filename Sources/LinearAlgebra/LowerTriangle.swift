/// What is added to a diagonal, relative to its mean, until a matrix factorises: one rung after the other.
public enum JitterLadder {
  /// For covariances with observation noise on the diagonal: they usually factorise as they are, and nothing is added that is
  /// not needed.
  public static let noisy: [Double] = [0, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4]
  /// For posterior covariances without noise, singular to rounding wherever two points are near each other: the first rung is
  /// always added, so that close points do not switch it on and off.
  public static let singular: [Double] = [1e-10, 1e-8, 1e-6, 1e-4]
}

/// A small Cholesky factor L, n x n, by plain loops: for matrices that may be singular to rounding.
public struct LowerTriangle: Sendable {
  /// n.
  public let count: Int
  /// L, row-major, n x n; zeros above the diagonal.
  public let elements: [Double]

  /// Factorises `matrix` + jitter; the roots of the diagonal when no rung of the ladder does.
  public init(factorizing matrix: Matrix, ladder: [Double] = JitterLadder.singular) {
    let n = matrix.rows
    count = n
    var mean = 0.0
    for i in 0..<n { mean += max(0, matrix[i, i]) / Double(max(1, n)) }
    if !(mean.isFinite && mean > 0) { mean = 1e-12 }
    for rung in ladder {
      if let factor = Self.factor(matrix, jitter: rung * mean) {
        elements = factor
        return
      }
    }
    let last = (ladder.last ?? 0) * mean
    var diagonal = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      let value = matrix[i, i]
      diagonal[i * n + i] = (value.isFinite && value > 0 ? value + last : last).squareRoot()
    }
    elements = diagonal
  }

  private static func factor(_ matrix: Matrix, jitter: Double) -> [Double]? {
    let n = matrix.rows
    var factor = [Double](repeating: 0, count: n * n)
    let succeeded = factor.withUnsafeMutableBufferPointer { l in
      matrix.elements.withUnsafeBufferPointer { a in
        for i in 0..<n {
          for j in 0...i {
            var sum = a[i * n + j]
            if i == j { sum += jitter }
            for k in 0..<j { sum -= l[i * n + k] * l[j * n + k] }
            if i == j {
              // A pivot that is nothing but jitter and rounding is none.
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

  /// mean + L z: a sample from n standard normal numbers.
  public func sample(mean: [Double], normals: ArraySlice<Double>) -> [Double] {
    elements.withUnsafeBufferPointer { l in
      normals.withUnsafeBufferPointer { z in
        (0..<count).map { row in
          var sum = mean[row]
          for column in 0...row { sum += l[row * count + column] * z[column] }
          return sum
        }
      }
    }
  }

  /// The solution of L x = b, or of Lᵀ x = b when `transposed`.
  public func solve(_ b: [Double], transposed: Bool = false) -> [Double] {
    let n = count
    var x = b
    guard transposed else {
      for i in 0..<n {
        for k in 0..<i { x[i] -= elements[i * n + k] * x[k] }
        x[i] /= elements[i * n + i]
      }
      return x
    }
    for i in stride(from: n - 1, through: 0, by: -1) {
      for k in (i + 1)..<max(n, i + 1) { x[i] -= elements[k * n + i] * x[k] }
      x[i] /= elements[i * n + i]
    }
    return x
  }
}
