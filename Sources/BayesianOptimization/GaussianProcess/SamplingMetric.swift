import LinearAlgebra

/// The metric of Hamiltonian Monte Carlo: an estimate of the posterior covariance, S = C C'.
///
/// Trajectories run in whitened coordinates: q = C x, momenta are standard normal, dq/dt = C p, dp/dt = C' grad.
struct SamplingMetric: Sendable {
  let dimension: Int
  /// C, row-major.
  private let factor: [Double]
  /// C', row-major.
  private let transposed: [Double]

  /// A diagonal metric.
  init(standardDeviations: [Double]) {
    var matrix = Matrix(rows: standardDeviations.count, columns: standardDeviations.count)
    for (i, deviation) in standardDeviations.enumerated() { matrix[i, i] = deviation }
    self.init(factor: matrix)
  }

  private init(factor: Matrix) {
    dimension = factor.rows
    self.factor = factor.elements
    transposed = factor.transposed.elements
  }

  /// The metric of a covariance estimated from `weight` draws.
  ///
  /// Off-diagonals are shrunk by 0.3 n / (P + 0.3 n), variances are regularised by n / (n + 5). `nil` when the result is not positive definite.
  init?(covariance: Matrix, weight: Double) {
    let count = covariance.rows
    let keep = 0.3 * weight / (Double(count) + 0.3 * weight)
    let scale = weight / (weight + 5)
    var shrunk = covariance
    for i in 0..<count {
      for j in 0..<count { shrunk[i, j] *= scale * (i == j ? 1 : keep) }
      shrunk[i, i] += 5e-3 / (weight + 5)
    }
    guard weight > 0, let cholesky = Cholesky(shrunk) else { return nil }
    self.init(factor: cholesky.lower)
  }

  /// `target` += `scale` C p.
  @inline(__always)
  func addProduct(_ scale: Double, _ p: UnsafePointer<Double>, to target: UnsafeMutablePointer<Double>) {
    transposed.withUnsafeBufferPointer { c in
      for j in 0..<dimension {
        let weight = scale * p[j]
        for i in j..<dimension { target[i] += c[j * dimension + i] * weight }
      }
    }
  }

  /// `target` += `scale` C' g.
  @inline(__always)
  func addTransposedProduct(_ scale: Double, _ g: UnsafePointer<Double>, to target: UnsafeMutablePointer<Double>) {
    factor.withUnsafeBufferPointer { c in
      for i in 0..<dimension {
        let weight = scale * g[i]
        for j in 0...i { target[j] += c[i * dimension + j] * weight }
      }
    }
  }
}

/// Sums of draws and of their products, for the covariance within chains.
struct PooledCovariance: Sendable {
  private(set) var sum: Matrix
  /// Degrees of freedom.
  private(set) var weight: Double = 0

  init(dimension: Int) { sum = Matrix(rows: dimension, columns: dimension) }

  /// Starts from an earlier estimate that counts as `weight` draws.
  init(covariance: Matrix, weight: Double) {
    sum = Matrix(rows: covariance.rows, columns: covariance.columns, elements: covariance.elements.map { $0 * weight })
    self.weight = weight
  }

  /// Adds the draws of one chain, centred on their own mean.
  mutating func add(_ draws: [[Double]]) {
    guard draws.count > 1 else { return }
    let count = sum.rows
    var mean = [Double](repeating: 0, count: count)
    for draw in draws { for i in 0..<count { mean[i] += draw[i] / Double(draws.count) } }
    for draw in draws {
      for i in 0..<count {
        let left = draw[i] - mean[i]
        for j in 0..<count { sum.elements[i * count + j] += left * (draw[j] - mean[j]) }
      }
    }
    weight += Double(draws.count - 1)
  }

  var covariance: Matrix {
    Matrix(rows: sum.rows, columns: sum.columns, elements: sum.elements.map { weight > 0 ? $0 / weight : 0 })
  }
}
