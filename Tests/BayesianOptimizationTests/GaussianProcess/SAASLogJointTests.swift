import Foundation
import LinearAlgebra
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct SAASLogJointTests {
  @Test(arguments: Goldens.sets, GradientKernel.available)
  func agreesWithGoldens(set: String, kernel: GradientKernel) throws {
    let golden = try Goldens.logJoint(set)
    let density = try #require(SAASLogJoint(golden.data, coordinates: .lambda, version: kernel))
    for point in golden.points {
      let tolerance = point.name == "tiny_noise_long_ls" ? 1e-8 : 1e-9
      let (value, gradient) = density(point.u)
      #expect(abs(value - point.log_joint) <= tolerance * abs(point.log_joint), "\(point.name)")
      let scale = max(1, point.grad.reduce(0) { max($0, abs($1)) })
      #expect(largestDifference(gradient, point.grad) <= tolerance * scale, "\(point.name)")
    }
  }

  @Test(arguments: Goldens.sets)
  func referenceAgreesWithGoldens(set: String) throws {
    let golden = try Goldens.logJoint(set)
    for point in golden.points {
      let found = try #require(SAASReference.logJoint(golden.data, at: point.u))
      #expect(abs(found.value - point.log_joint) <= 1e-8 * abs(point.log_joint), "\(point.name)")
    }
  }

  private func simulated(_ n: Int, _ d: Int, seed: UInt64 = 1, variances: Bool = false) -> SurrogateData {
    var stream = RandomStream(seed: seed, purpose: "test/data")
    let points = Matrix(rows: n, columns: d, elements: (0..<(n * d)).map { _ in stream.uniform() })
    return SurrogateData(
      points: points, values: (0..<n).map { _ in stream.normal() },
      variances: variances ? (0..<n).map { _ in 0.3 * stream.uniform() } : nil)
  }

  @Test(arguments: [1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65], [1, 2, 3, 8, 13])
  func kernelsAgreeWithReference(n: Int, d: Int) throws {
    let data = simulated(n, d, variances: n % 2 == 1)
    var stream = RandomStream(seed: 2, purpose: "test/point", index: UInt64(n * 100 + d))
    let u = (0..<(d + 4)).map { _ in stream.normal() }
    let expected = try #require(SAASReference.logJoint(data, at: u))
    let scale = max(1, expected.gradient.reduce(0) { max($0, abs($1)) })
    for kernel in GradientKernel.available {
      let density = try #require(SAASLogJoint(data, coordinates: .lambda, version: kernel))
      let found = density(u)
      #expect(abs(found.value - expected.value) <= 1e-10 * max(1, abs(expected.value)), "\(kernel)")
      #expect(largestDifference(found.gradient, expected.gradient) <= 1e-10 * scale, "\(kernel)")
    }
  }

  @Test func coordinatesDifferByTheShiftOfTau() throws {
    let data = simulated(20, 4)
    let lambda = try #require(SAASLogJoint(data, coordinates: .lambda))
    let rho = try #require(SAASLogJoint(data, coordinates: .rho))
    let u = [0.3, 0.1, -2, -1.5, 0.5, -1, 2, -3]
    var q = u
    for d in 4..<8 { q[d] += u[3] }
    let a = lambda(u)
    let b = rho(q)
    #expect(abs(a.value - b.value) < 1e-10)
    let expected = a.gradient[3] - a.gradient[4...].reduce(0, +)
    #expect(abs(b.gradient[3] - expected) < 1e-9)
    #expect(largestDifference(Array(a.gradient[4...]), Array(b.gradient[4...])) < 1e-9)
  }

  @Test(arguments: [LengthscalePrior.sparseAxisAligned, .logNormal])
  func gradientIsTheDerivative(prior: LengthscalePrior) throws {
    let data = simulated(17, 3, variances: true)
    let density = try #require(SAASLogJoint(data, coordinates: .rho, prior: prior))
    let q = (0..<density.dimension).map { [0.4, -0.3, -1.8, -0.7, 0.6, -1.1, 0.2][$0] }
    let gradient = density(q).gradient
    for i in q.indices {
      var high = q
      var low = q
      high[i] += 1e-5
      low[i] -= 1e-5
      #expect(abs((density(high).value - density(low).value) / 2e-5 - gradient[i]) < 1e-6)
    }
  }

  @Test func equalRowsContributeNothingToLengthscales() throws {
    let points = Matrix(rows: 9, columns: 3, elements: (0..<27).map { _ in 0.37 })
    let data = SurrogateData(points: points, values: (0..<9).map { Double($0) })
    let density = try #require(SAASLogJoint(data, coordinates: .lambda))
    let rho = 3.0
    let u = [0, 0, -2, 0, log(rho), log(rho), log(rho)]
    let slope = (1 - rho * rho) / (1 + rho * rho)
    let gradient = density(u).gradient
    for d in 4..<7 { #expect(gradient[d] == slope) }
  }

  @Test func outsideItsRangeTheDensityIsZero() throws {
    let data = simulated(10, 2)
    let density = try #require(SAASLogJoint(data))
    for bad in [81, -81, Double.nan, .infinity] {
      for i in 0..<density.dimension {
        var q = [Double](repeating: 0, count: density.dimension)
        q[i] = bad
        #expect(density(q).value == -.infinity)
      }
    }
    // No noise to speak of, an enormous outputscale and endless lengthscales: not positive definite in doubles.
    #expect(density([60, 0, -60, -30, -60, -60]).value == -.infinity)
    #expect(SAASLogJoint(SurrogateData(points: Matrix(rows: 0, columns: 2), values: [])) == nil)
  }
}
