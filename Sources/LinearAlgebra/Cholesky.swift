import CBLAS
import Glibc

/// The Cholesky factor of a symmetric positive definite matrix, A + jitter I = L L'.
public struct Cholesky: Sendable {
  /// L, lower triangular, n x n; the strict upper triangle is zero.
  public let lower: Matrix
  /// What was added to the diagonal before the factorisation succeeded; 0 when nothing was needed.
  public let jitter: Double

  /// Factorises the symmetric matrix `matrix` (its lower triangle is read), adding jitter only as far as it must.
  ///
  /// `nil` when a number is not finite or no rung of the ladder gives a positive definite matrix.
  public init?(_ matrix: Matrix, ladder: [Double] = JitterLadder.noisy) {
    precondition(matrix.rows == matrix.columns, "a \(matrix.rows) x \(matrix.columns) matrix is not square")
    let n = matrix.rows
    guard matrix.elements.allSatisfy(\.isFinite) else { return nil }
    guard n > 0 else {
      lower = matrix
      jitter = 0
      return
    }
    let scale = (0..<n).reduce(0) { $0 + abs(matrix[$1, $1]) } / Double(n)
    for rung in ladder {
      let added = rung * scale
      var factor = matrix
      if added > 0 { for i in 0..<n { factor[i, i] += added } }
      // The lower triangle in row-major order is LAPACK's upper triangle in column-major order.
      let info = factor.elements.withUnsafeMutableBufferPointer {
        engram_dpotrf(CChar(UInt8(ascii: "U")), Int32(n), $0.baseAddress, Int32(n))
      }
      guard info == 0, (0..<n).allSatisfy({ factor[$0, $0].isFinite && factor[$0, $0] > 0 }) else { continue }
      for i in 0..<n { for j in (i + 1)..<max(i + 1, n) { factor[i, j] = 0 } }
      lower = factor
      jitter = added
      return
    }
    return nil
  }

  /// Number of rows.
  public var count: Int { lower.rows }

  /// log det(A + jitter I).
  public var logDeterminant: Double {
    (0..<count).reduce(0) { $0 + 2 * log(lower[$1, $1]) }
  }

  /// The solution of L x = b, or of L' x = b when `transposed`.
  public func solveTriangular(_ vector: [Double], transposed: Bool = false) -> [Double] {
    precondition(vector.count == count, "sizes differ")
    var result = vector
    guard count > 0 else { return result }
    lower.elements.withUnsafeBufferPointer { l in
      result.withUnsafeMutableBufferPointer { x in
        engram_dtrsv(
          Int32(EngramRowMajor), Int32(EngramLower), Int32(transposed ? EngramTranspose : EngramNoTranspose),
          Int32(EngramNonUnit), Int32(count), l.baseAddress, Int32(count), x.baseAddress, 1)
      }
    }
    return result
  }

  /// The solution of L X = B, or of L' X = B when `transposed`, for every column of `right`.
  public func solveTriangular(_ right: Matrix, transposed: Bool = false) -> Matrix {
    precondition(right.rows == count, "sizes differ")
    var result = right
    guard count > 0, right.columns > 0 else { return result }
    lower.elements.withUnsafeBufferPointer { l in
      result.elements.withUnsafeMutableBufferPointer { x in
        engram_dtrsm(
          Int32(EngramRowMajor), Int32(EngramLeft), Int32(EngramLower),
          Int32(transposed ? EngramTranspose : EngramNoTranspose), Int32(EngramNonUnit), Int32(count),
          Int32(right.columns), 1, l.baseAddress, Int32(count), x.baseAddress, Int32(right.columns))
      }
    }
    return result
  }

  /// The solution of (A + jitter I) x = b.
  public func solve(_ vector: [Double]) -> [Double] {
    solveTriangular(solveTriangular(vector), transposed: true)
  }

  /// (A + jitter I)^-1, symmetric.
  public func inverse() -> Matrix {
    var result = lower
    let n = count
    guard n > 0 else { return result }
    _ = result.elements.withUnsafeMutableBufferPointer {
      engram_dpotri(CChar(UInt8(ascii: "U")), Int32(n), $0.baseAddress, Int32(n))
    }
    for i in 0..<n { for j in 0..<i { result[j, i] = result[i, j] } }
    return result
  }
}
