// Published multi-objective test functions over grids of whole numbers.
//
// ZDT1, ZDT2: E. Zitzler, K. Deb, L. Thiele, Evolutionary Computation 8 (2000). DTLZ2: K. Deb, L. Thiele, M. Laumanns,
// E. Zitzler, CEC 2002. Branin-Currin: S. Belakaria, A. Deshwal, J. R. Doppa, NeurIPS 2019. Vehicle safety: X. Liao et
// al., Struct. Multidisc. Optim. 35 (2008), as RE34 of R. Tanabe, H. Ishibuchi, Applied Soft Computing 89 (2020).

import Glibc

extension AnalyticProblem {
  /// `count` factors x0, x1 … with whole numbers 0...top, seen by the function as x_i/top in [0, 1].
  private static func grid(
    _ name: String, count: Int, top: Int, objectives: Int, reference: [Double], noise: [Double],
    maximumHypervolume: Double? = nil, function: @escaping @Sendable ([Double]) -> [Double]
  ) -> AnalyticProblem? {
    let factors = (0..<count).map { Factor(name: "x\($0)", domain: .integer(0...top)) }
    guard let space = try? SearchSpace(factors: factors) else { return nil }
    return AnalyticProblem(
      name: name, space: space,
      objectives: (1...objectives).map { Objective(name: "f\($0)", direction: .minimize) }, reference: reference,
      noise: noise, maximumHypervolume: maximumHypervolume
    ) { configuration in
      function(
        factors.map { factor in
          if case .integer(let value)? = configuration.factors?[factor.name] { Double(value) / Double(top) } else { 0 }
        })
    }
  }

  /// ZDT1 (convex front) or ZDT2 (concave front) with 8 variables of 21 values; reference (11, 11).
  static func zdt(_ number: Int) -> AnalyticProblem? {
    // Both objectives grow with every variable but the first, so that the front is where all others are 0.
    let front = (0...20).map { first in zdtValues(number, [Double(first) / 20] + [Double](repeating: 0, count: 7)) }
    return grid(
      "zdt\(number)", count: 8, top: 20, objectives: 2, reference: [11, 11], noise: [0, 0],
      maximumHypervolume: hypervolume(front, reference: [11, 11])
    ) { x in zdtValues(number, x) }
  }

  static func zdtValues(_ number: Int, _ x: [Double]) -> [Double] {
    let g = 1 + 9 * x.dropFirst().reduce(0, +) / Double(x.count - 1)
    let ratio = x[0] / g
    return [x[0], g * (number == 1 ? 1 - ratio.squareRoot() : 1 - ratio * ratio)]
  }

  /// DTLZ2 with two objectives and 6 variables of 21 values; reference (1.1, 1.1).
  static var dtlz2: AnalyticProblem? {
    // Both objectives grow with g, which is 0 where all variables but the first are 1/2.
    let front = (0...20).map { first in dtlz2Values([Double(first) / 20] + [Double](repeating: 0.5, count: 5)) }
    return grid(
      "dtlz2", count: 6, top: 20, objectives: 2, reference: [1.1, 1.1], noise: [0, 0],
      maximumHypervolume: hypervolume(front, reference: [1.1, 1.1]), function: dtlz2Values)
  }

  static func dtlz2Values(_ x: [Double]) -> [Double] {
    let g = x.dropFirst().reduce(0) { $0 + ($1 - 0.5) * ($1 - 0.5) }
    return [(1 + g) * cos(x[0] * .pi / 2), (1 + g) * sin(x[0] * .pi / 2)]
  }

  /// Branin and Currin over two variables of 101 values; reference (18, 6).
  static var braninCurrin: AnalyticProblem? {
    grid(
      "branin-currin", count: 2, top: 100, objectives: 2, reference: [18, 6], noise: [0, 0],
      maximumHypervolume: braninCurrinHypervolume, function: braninCurrinValues)
  }

  /// The hypervolume of the whole grid of 10,201 points (a test enumerates it).
  private static let braninCurrinHypervolume = 56.45146925854833

  /// Hypervolume of minimised points.
  private static func hypervolume(_ points: [[Double]], reference: [Double]) -> Double {
    Hypervolume.value(points.map { $0.map { -$0 } }, reference: reference.map { -$0 })
  }

  static func braninCurrinValues(_ x: [Double]) -> [Double] {
    let a = 15 * x[0] - 5
    let b = 15 * x[1]
    let bend = b - 5.1 / (4 * .pi * .pi) * a * a + 5 / .pi * a - 6
    let branin = bend * bend + 10 * (1 - 1 / (8 * .pi)) * cos(a) + 10
    let cube = x[0] * x[0] * x[0]
    let square = x[0] * x[0]
    let factor = x[1] == 0 ? 1 : 1 - exp(-1 / (2 * x[1]))
    let currin =
      factor * (2_300 * cube + 1_900 * square + 2_092 * x[0] + 60) / (100 * cube + 500 * square + 4 * x[0] + 20)
    return [branin, currin]
  }

  /// Vehicle crash safety: mass, acceleration and intrusion over five plate thicknesses in [1, 3] of 41 values;
  /// reference (1864.72, 11.82, 0.2903).
  static var vehicleSafety: AnalyticProblem? {
    grid(
      "vehicle-safety", count: 5, top: 40, objectives: 3, reference: [1864.72022, 11.81993945, 0.2903999384],
      noise: [0, 0, 0]
    ) { x in vehicleSafetyValues(x.map { 1 + 2 * $0 }) }
  }

  static func vehicleSafetyValues(_ x: [Double]) -> [Double] {
    let mass =
      1640.2823 + 2.3573285 * x[0] + 2.3220035 * x[1] + 4.5688768 * x[2] + 7.7213633 * x[3] + 4.4559504 * x[4]
    let first = 6.5856 + 1.15 * x[0] - 1.0427 * x[1] + 0.9738 * x[2] + 0.8364 * x[3]
    let second = -0.3695 * x[0] * x[3] + 0.0861 * x[0] * x[4] + 0.3628 * x[1] * x[3]
    let third = -0.1106 * x[0] * x[0] - 0.3437 * x[2] * x[2] + 0.1764 * x[3] * x[3]
    let intrusionLinear = -0.0551 + 0.0181 * x[0] + 0.1024 * x[1] + 0.0421 * x[2]
    let intrusionMixed = -0.0073 * x[0] * x[1] + 0.024 * x[1] * x[2] - 0.0118 * x[1] * x[3] - 0.0204 * x[2] * x[3]
    let intrusionRest = -0.008 * x[2] * x[4] - 0.0241 * x[1] * x[1] + 0.0109 * x[3] * x[3]
    return [mass, first + second + third, intrusionLinear + intrusionMixed + intrusionRest]
  }
}
