import TestSupport
import Testing

@testable import RandomStreams

@Suite(.bounded) struct DistributionTests {
  private func moments(_ count: Int, _ draw: () -> Double) -> (mean: Double, variance: Double) {
    let values = (0..<count).map { _ in draw() }
    let mean = values.reduce(0, +) / Double(count)
    return (mean, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1))
  }

  @Test(arguments: [0.3, 0.9, 1.0, 2.0, 7.5])
  func gammaHasItsMoments(shape: Double) {
    var stream = RandomStream(seed: 7, purpose: "gamma")
    let (mean, variance) = moments(40_000) { stream.gamma(shape: shape) }
    #expect(abs(mean - shape) < 5 * (shape / 40_000).squareRoot())
    #expect(abs(variance - shape) < 0.1 * shape + 0.02)
  }

  @Test func normalAndExponentialHaveTheirMoments() {
    var stream = RandomStream(seed: 7, purpose: "normal")
    let normal = moments(40_000) { stream.normal() }
    #expect(abs(normal.mean) < 0.025 && abs(normal.variance - 1) < 0.04)
    let exponential = moments(40_000) { stream.exponential() }
    #expect(abs(exponential.mean - 1) < 0.03)
  }

  @Test func bernoulliCountsItsProbability() {
    var stream = RandomStream(seed: 7, purpose: "bernoulli")
    let hits = (0..<20_000).filter { _ in stream.bernoulli(0.3) }.count
    #expect(abs(Double(hits) / 20_000 - 0.3) < 0.017)
  }

  @Test func shuffleIsAPermutationWithUniformFirstElement() {
    var stream = RandomStream(seed: 7, purpose: "shuffle")
    var first = [Int](repeating: 0, count: 5)
    for _ in 0..<5_000 {
      let order = stream.shuffled([0, 1, 2, 3, 4])
      #expect(order.sorted() == [0, 1, 2, 3, 4])
      first[order[0]] += 1
    }
    #expect(first.allSatisfy { abs($0 - 1_000) < 150 })
  }
}
