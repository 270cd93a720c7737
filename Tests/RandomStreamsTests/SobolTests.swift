import TestSupport
import Testing

@testable import RandomStreams

@Suite(.bounded) struct SobolTests {
  /// Points of SciPy 1.17.1 (`qmc.Sobol(256, scramble=False)`), brought from Gray-code to natural order.
  @Test func plainPointsMatchSciPy() {
    let expected: [Int: [Double]] = [
      0: [0, 0, 0, 0, 0],
      1: [0.5, 0.5, 0.5, 0.5, 0.5],
      2: [0.25, 0.75, 0.75, 0.25, 0.25],
      3: [0.75, 0.25, 0.25, 0.75, 0.75],
      5: [0.625, 0.125, 0.875, 0.125, 0.625],
      37: [0.640625, 0.921875, 0.734375, 0.640625, 0.671875],
    ]
    let sobol = Sobol(dimension: 256)
    for (index, values) in expected {
      let point = sobol.point(index)
      #expect([0, 1, 2, 33, 255].map { point[$0] } == values, "point \(index)")
    }
  }

  /// Every dyadic interval of length 2^−k holds exactly one of 2^k points, scrambled or not.
  @Test func scramblingKeepsEveryAxisStratified() {
    var stream = RandomStream(seed: 3, purpose: "sobol")
    let sobol = Sobol(dimension: 256, scrambledBy: &stream)
    let points = (0..<256).map(sobol.point)
    for axis in 0..<256 {
      let cells = Set(points.map { Int($0[axis] * 256) })
      #expect(cells.count == 256)
    }
    // Elementary intervals of the first two axes: a (0, 8, 2)-net.
    for split in 0...8 {
      let cells = Set(points.map { [Int($0[0] * Double(1 << split)), Int($0[1] * Double(1 << (8 - split)))] })
      #expect(cells.count == 256)
    }
    #expect(points.allSatisfy { $0.allSatisfy { $0 > 0 && $0 < 1 } })
  }

  @Test func keysDecideTheScrambling() {
    var a = RandomStream(seed: 3, purpose: "sobol")
    var b = RandomStream(seed: 3, purpose: "sobol")
    var c = RandomStream(seed: 4, purpose: "sobol")
    let first = Sobol(dimension: 5, scrambledBy: &a).point(11)
    #expect(first == Sobol(dimension: 5, scrambledBy: &b).point(11))
    #expect(first != Sobol(dimension: 5, scrambledBy: &c).point(11))
  }
}
