import Glibc

/// How many valid configurations a space has.
public struct SpaceSize: Sendable, Hashable {
  /// The number itself where it fits in an `Int`.
  public let exact: Int?
  /// Base-2 logarithm; −infinity for an empty space.
  public let log2: Double
}

extension SearchSpace {
  /// Counts the valid canonical configurations.
  static func size(_ layout: MemoryLayout?, _ variables: [Variable]) -> SpaceSize {
    guard let layout else {
      var exact: Int? = 1
      var bits = 0.0
      for variable in variables {
        exact = exact.flatMap { multiply($0, variable.levels) }
        bits += log2(Double(variable.levels))
      }
      return SpaceSize(exact: exact, log2: bits)
    }
    var exact: Int? = 0
    var logs: [Double] = []
    for stratum in layout.strata() {
      let subsets = layout.searchesLayers ? Binomial.exact(layout.space.layers, stratum.active) : 1
      if let sum = exact, let subsets {
        let (value, overflow) = sum.addingReportingOverflow(subsets)
        exact = overflow ? nil : value
      } else {
        exact = nil
      }
      logs.append(layout.searchesLayers ? Binomial.log(layout.space.layers, stratum.active) : 0)
    }
    guard let top = logs.max() else { return SpaceSize(exact: 0, log2: -.infinity) }
    let sum = logs.reduce(0) { $0 + exp($1 - top) }
    return SpaceSize(exact: exact, log2: (top + log(sum)) / log(2))
  }

  private static func multiply(_ a: Int, _ b: Int) -> Int? {
    let (value, overflow) = a.multipliedReportingOverflow(by: b)
    return overflow ? nil : value
  }

  /// All valid canonical configurations in a fixed order; nil when there are more than `limit`.
  public func enumerated(limit: Int) -> [Configuration]? {
    enumeratedLevels(limit: limit)?.map(configuration)
  }

  /// Canonical levels of all valid configurations in a fixed order; nil when there are more than `limit`.
  func enumeratedLevels(limit: Int) -> [[Int]]? {
    guard let count = size.exact, count <= limit else { return nil }
    var result: [[Int]] = []
    result.reserveCapacity(count)
    guard let layout else {
      var levels = [Int](repeating: 0, count: variables.count)
      while true {
        result.append(levels)
        guard let position = levels.indices.last(where: { levels[$0] + 1 < variables[$0].levels }) else { break }
        levels[position] += 1
        for later in levels.indices where later > position { levels[later] = 0 }
      }
      return result
    }
    for stratum in layout.strata() {
      if layout.searchesLayers {
        Binomial.forEachSubset(of: layout.space.layers, size: stratum.active) { subset in
          result.append(
            layout.levels(active: subset, count: stratum.count, rankIndex: stratum.rank))
        }
      } else {
        result.append(
          layout.levels(
            active: layout.space.fixedLayers ?? [], count: stratum.count, rankIndex: stratum.rank))
      }
    }
    return result
  }
}

/// Binomial coefficients and subsets.
enum Binomial {
  /// C(n, k), or nil where it does not fit.
  static func exact(_ n: Int, _ k: Int) -> Int? {
    guard k >= 0, k <= n else { return 0 }
    var value = 1
    for step in 0..<min(k, n - k) {
      let (product, overflow) = value.multipliedReportingOverflow(by: n - step)
      if overflow { return nil }
      value = product / (step + 1)
    }
    return value
  }

  /// Natural logarithm of C(n, k).
  static func log(_ n: Int, _ k: Int) -> Double {
    lgamma(Double(n + 1)) - lgamma(Double(k + 1)) - lgamma(Double(n - k + 1))
  }

  /// Calls `body` with every k-subset of 0..<n in lexicographic order.
  static func forEachSubset(of n: Int, size k: Int, _ body: ([Int]) -> Void) {
    guard k <= n else { return }
    var subset = Array(0..<k)
    while true {
      body(subset)
      guard let position = subset.indices.last(where: { subset[$0] < n - k + $0 }) else { return }
      subset[position] += 1
      for later in subset.indices where later > position { subset[later] = subset[later - 1] + 1 }
    }
  }
}
