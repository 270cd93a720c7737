import LinearAlgebra

/// Where the chains of a fit stood: carried to the next fit, where the data may have grown.
package struct SurrogateWarmStart: Sendable, Hashable, Codable {
  /// One chain: its last position in the sampler's coordinates and its adapted step size.
  package struct Chain: Sendable, Hashable, Codable {
    /// The coordinates (log s, m, log nu, log tau for the SAAS prior, log rho_d), P.
    package var position: [Double]
    package var stepSize: Double
  }
  package var chains: [Chain]
  /// Pooled estimate of the posterior covariance of the coordinates: lower triangle by rows, P (P + 1) / 2.
  ///
  /// Single precision from the start, so that a stored state continues exactly as the one in memory.
  package var covariance: [Float]
  /// Draws behind `covariance`.
  package var weight: Double
  /// Number of points of the cold fit at the beginning of the chains.
  package var coldPoints: Int

  init(chains: [Chain], covariance: Matrix, weight: Double, coldPoints: Int = 0) {
    self.coldPoints = coldPoints
    self.chains = chains
    self.covariance = (0..<covariance.rows).flatMap { i in (0...i).map { Float(covariance[i, $0]) } }
    self.weight = weight
  }

  /// The covariance as a P x P matrix; `nil` when the state does not fit `dimension` or holds a non-finite number.
  func matrix(dimension: Int) -> Matrix? {
    guard weight > 0, weight.isFinite, covariance.count == dimension * (dimension + 1) / 2,
      covariance.allSatisfy(\.isFinite)
    else { return nil }
    var result = Matrix(rows: dimension, columns: dimension)
    var at = 0
    for i in 0..<dimension {
      for j in 0...i {
        result[i, j] = Double(covariance[at])
        result[j, i] = Double(covariance[at])
        at += 1
      }
    }
    return result
  }

  /// Whether the chains may go on with `points` points.
  ///
  /// Continued chains stay in the mode where they began, so that
  /// they begin anew whenever the data have grown by a third.
  func mayContinue(points: Int) -> Bool { 3 * points <= 4 * coldPoints + 6 }

  /// Whether the state continues `chainCount` chains of `dimension` coordinates.
  func fits(chainCount: Int, dimension: Int) -> Bool {
    chains.count == chainCount && matrix(dimension: dimension) != nil
      && chains.allSatisfy {
        $0.position.count == dimension && $0.position.allSatisfy(\.isFinite) && $0.stepSize.isFinite && $0.stepSize > 0
      }
  }
}
