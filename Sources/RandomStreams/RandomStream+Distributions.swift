import Glibc

extension RandomStream {
  /// True with the given probability (below 0 counts as 0, above 1 as 1).
  public mutating func bernoulli(_ probability: Double) -> Bool { uniform() < probability }

  /// A standard exponential number.
  public mutating func exponential() -> Double { -log(uniform()) }

  /// A Gamma(shape, rate 1) number; `shape` must be positive.
  ///
  /// G. Marsaglia, W. W. Tsang, "A simple method for generating gamma variables", ACM TOMS 26 (2000).
  public mutating func gamma(shape: Double) -> Double {
    precondition(shape > 0, "a gamma distribution needs a positive shape, not \(shape)")
    if shape < 1 {
      // Gamma(a) = Gamma(a + 1) · U^(1/a).
      let boosted = gamma(shape: shape + 1)
      return boosted * pow(uniform(), 1 / shape)
    }
    let d = shape - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    while true {
      let x = normal()
      let v = pow(1 + c * x, 3)
      guard v > 0 else { continue }
      if log(uniform()) < 0.5 * x * x + d - d * v + d * log(v) { return d * v }
    }
  }

  /// The elements in a uniformly random order (Fisher-Yates).
  public mutating func shuffled<Element>(_ elements: [Element]) -> [Element] {
    var result = elements
    for index in stride(from: result.count - 1, to: 0, by: -1) {
      result.swapAt(index, integer(below: index + 1))
    }
    return result
  }
}
