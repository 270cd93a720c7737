/// A dense matrix of doubles, row-major.
public struct Matrix: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// Elements in row-major order, rows x columns.
  public var elements: [Double]

  /// A matrix of equal elements.
  public init(rows: Int, columns: Int, repeating value: Double = 0) {
    self.rows = rows
    self.columns = columns
    elements = [Double](repeating: value, count: rows * columns)
  }

  /// A matrix from row-major elements; their number must be rows x columns.
  public init(rows: Int, columns: Int, elements: [Double]) {
    precondition(elements.count == rows * columns, "a \(rows) x \(columns) matrix from \(elements.count) elements")
    self.rows = rows
    self.columns = columns
    self.elements = elements
  }

  /// A matrix from rows of equal length.
  public init(_ rows: [[Double]]) {
    let columns = rows.first?.count ?? 0
    precondition(rows.allSatisfy { $0.count == columns }, "rows of unequal length")
    self.init(rows: rows.count, columns: columns, elements: rows.flatMap { $0 })
  }

  public subscript(row: Int, column: Int) -> Double {
    @inline(__always) get { elements[row * columns + column] }
    @inline(__always) set { elements[row * columns + column] = newValue }
  }

  /// Row `index` as an array.
  public func row(_ index: Int) -> [Double] {
    Array(elements[(index * columns)..<((index + 1) * columns)])
  }

  /// The matrix of the given rows, in their order.
  public func selectingRows(_ indices: [Int]) -> Matrix {
    var result = Matrix(rows: indices.count, columns: columns)
    for (target, source) in indices.enumerated() {
      for column in 0..<columns { result[target, column] = self[source, column] }
    }
    return result
  }

  public var transposed: Matrix {
    var result = Matrix(rows: columns, columns: rows)
    for row in 0..<rows { for column in 0..<columns { result[column, row] = self[row, column] } }
    return result
  }

  /// The identity of size n.
  public static func identity(_ n: Int) -> Matrix {
    var result = Matrix(rows: n, columns: n)
    for index in 0..<n { result[index, index] = 1 }
    return result
  }
}
