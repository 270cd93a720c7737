import CBLAS

extension Matrix {
  /// The product of two matrices, either of them transposed on request (row-major, one BLAS thread).
  public static func product(
    _ left: Matrix, _ right: Matrix, transposingLeft: Bool = false, transposingRight: Bool = false
  ) -> Matrix {
    let rows = transposingLeft ? left.columns : left.rows
    let inner = transposingLeft ? left.rows : left.columns
    let columns = transposingRight ? right.rows : right.columns
    precondition(inner == (transposingRight ? right.columns : right.rows), "inner sizes differ")
    var result = Matrix(rows: rows, columns: columns)
    guard rows > 0, columns > 0, inner > 0 else { return result }
    left.elements.withUnsafeBufferPointer { a in
      right.elements.withUnsafeBufferPointer { b in
        result.elements.withUnsafeMutableBufferPointer { c in
          engram_dgemm(
            Int32(EngramRowMajor), Int32(transposingLeft ? EngramTranspose : EngramNoTranspose),
            Int32(transposingRight ? EngramTranspose : EngramNoTranspose), Int32(rows), Int32(columns), Int32(inner),
            1, a.baseAddress, Int32(left.columns), b.baseAddress, Int32(right.columns), 0, c.baseAddress,
            Int32(columns))
        }
      }
    }
    return result
  }

  /// The product with a column vector, or of the transpose with it.
  public func times(_ vector: [Double], transposed: Bool = false) -> [Double] {
    precondition(vector.count == (transposed ? rows : columns), "sizes differ")
    var result = [Double](repeating: 0, count: transposed ? columns : rows)
    guard rows > 0, columns > 0 else { return result }
    elements.withUnsafeBufferPointer { a in
      result.withUnsafeMutableBufferPointer { y in
        engram_dgemv(
          Int32(EngramRowMajor), Int32(transposed ? EngramTranspose : EngramNoTranspose), Int32(rows), Int32(columns),
          1, a.baseAddress, Int32(columns), vector, 1, 0, y.baseAddress, 1)
      }
    }
    return result
  }
}

/// The BLAS library behind this module.
public enum BLAS {
  /// The kernel family that runs ("SkylakeX", "Haswell", ...), "none" when libopenblas cannot be opened.
  public static var kernels: String { String(cString: engram_blas_core()) }
  /// Why libopenblas could not be opened, `nil` when it is open.
  public static var problem: String? {
    engram_blas_open() ? nil : String(cString: engram_blas_error())
  }
}
