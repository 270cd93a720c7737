import Foundation
import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@Suite(.bounded) struct CholeskyTests {
  private func positiveDefinite(_ n: Int) -> Matrix {
    var stream = RandomStream(seed: 3, purpose: "test/cholesky", index: UInt64(n))
    let a = Matrix(rows: n, columns: n, elements: (0..<(n * n)).map { _ in stream.normal() })
    var product = Matrix.product(a, a, transposingRight: true)
    for i in 0..<n { product[i, i] += 1 }
    return product
  }

  @Test(arguments: [0, 1, 2, 7, 33])
  func factorSolvesAndInverts(n: Int) throws {
    let matrix = positiveDefinite(n)
    let factor = try #require(Cholesky(matrix))
    #expect(factor.jitter == 0)
    let rebuilt = Matrix.product(factor.lower, factor.lower, transposingRight: true)
    let scale = max(1, matrix.elements.map(abs).max() ?? 1)
    #expect(zip(rebuilt.elements, matrix.elements).allSatisfy { abs($0 - $1) < 1e-13 * scale * Double(n) })
    let b = (0..<n).map { Double($0) - 1.5 }
    let back = matrix.times(factor.solve(b))
    #expect(zip(back, b).allSatisfy { abs($0 - $1) < 1e-10 })
    let unit = Matrix.product(matrix, factor.inverse())
    for i in 0..<n { for j in 0..<n { #expect(abs(unit[i, j] - (i == j ? 1 : 0)) < 1e-10) } }
    let columns = Matrix(rows: n, columns: 2, elements: b.flatMap { [$0, 2 * $0] })
    let solved = factor.solveTriangular(factor.solveTriangular(columns), transposed: true)
    #expect((0..<n).allSatisfy { abs(solved[$0, 1] - 2 * solved[$0, 0]) < 1e-10 })
    #expect(factor.logDeterminant.isFinite)
  }

  @Test func jitterIsReportedAndNoMoreThanNeeded() throws {
    let singular = Matrix(rows: 3, columns: 3, repeating: 4)
    let factor = try #require(Cholesky(singular))
    #expect(factor.jitter == 4e-8)
    var indefinite = Matrix.identity(2)
    indefinite[1, 1] = -1
    #expect(Cholesky(indefinite) == nil)
    #expect(Cholesky(Matrix(rows: 1, columns: 1, repeating: .nan)) == nil)
  }

  @Test func productsTransposeOnRequest() {
    let a = Matrix([[1, 2, 3], [4, 5, 6]])
    let b = Matrix([[1, 0], [0, 1], [2, 2]])
    #expect(Matrix.product(a, b) == Matrix([[7, 8], [16, 17]]))
    #expect(Matrix.product(a, a, transposingRight: true) == Matrix([[14, 32], [32, 77]]))
    #expect(Matrix.product(b, a, transposingLeft: true, transposingRight: true) == Matrix([[7, 16], [8, 17]]))
    #expect(a.times([1, 1, 1]) == [6, 15])
    #expect(a.times([1, 1], transposed: true) == [5, 7, 9])
  }
}
