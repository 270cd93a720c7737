extension SearchSpace {
  /// The one-exchange neighbourhood of `configuration`: every valid canonical configuration that differs from it in
  /// the value of exactly one variable (before the canonical form is taken).
  ///
  /// Ordered variables with more than 64 values move to the nearest 16 values on each side, to powers of two beyond,
  /// and to the ends. Throws `outsideSpace`.
  public func neighbours(of configuration: Configuration) throws -> [Configuration] {
    neighbours(of: canonical(try levels(of: configuration))).map(self.configuration)
  }

  /// Canonical levels of the one-exchange neighbourhood, without `levels` itself and without duplicates.
  func neighbours(of levels: [Int]) -> [[Int]] {
    var seen: Set<[Int]> = [levels]
    var result: [[Int]] = []
    var changed = levels
    for (index, variable) in variables.enumerated() {
      for level in Self.alternatives(to: levels[index], of: variable.levels, exhaustive: variable.kind == .categorical)
      {
        changed[index] = level
        let candidate = canonical(changed)
        if isValid(candidate), seen.insert(candidate).inserted { result.append(candidate) }
      }
      changed[index] = levels[index]
    }
    return result
  }

  private static func alternatives(to level: Int, of levels: Int, exhaustive: Bool) -> [Int] {
    if levels <= 64 || exhaustive { return (0..<levels).filter { $0 != level } }
    var steps = Array(1...16)
    var power = 32
    while power < levels {
      steps.append(power)
      power *= 2
    }
    var result = steps.map { level - $0 } + steps.map { level + $0 } + [0, levels - 1]
    result = Set(result.filter { $0 >= 0 && $0 < levels && $0 != level }).sorted()
    return result
  }
}
