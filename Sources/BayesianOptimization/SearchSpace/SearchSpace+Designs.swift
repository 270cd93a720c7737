import Glibc
import RandomStreams

extension SearchSpace {
  /// A uniform draw from the valid canonical configurations.
  public func random(using stream: inout RandomStream) -> Configuration {
    configuration(RandomDraws(self).next(using: &stream))
  }

  /// Levels of a point u of the unit cube (one coordinate per variable), in canonical form; may be invalid.
  func levels(unit: [Double]) -> [Int] {
    canonical(zip(variables, unit).map { min($0.levels - 1, Int($1 * Double($0.levels))) })
  }
}

/// Uniform draws from the valid canonical configurations of a space.
///
/// A stratum (|A|, n, r) is drawn by its number of subsets, then a subset of the layers: guards never cause rejection.
struct RandomDraws: Sendable {
  private let space: SearchSpace
  private let strata: [MemoryLayout.Stratum]
  /// Cumulative probabilities of the strata.
  private let cumulative: [Double]

  init(_ space: SearchSpace) {
    self.space = space
    guard let layout = space.layout else {
      strata = []
      cumulative = []
      return
    }
    strata = layout.strata()
    let logs = strata.map { layout.searchesLayers ? Binomial.log(layout.space.layers, $0.active) : 0 }
    let top = logs.max() ?? 0
    var sum = 0.0
    cumulative = logs.map {
      sum += exp($0 - top)
      return sum
    }
  }

  func next(using stream: inout RandomStream) -> [Int] {
    guard let layout = space.layout else { return space.variables.map { stream.integer(below: $0.levels) } }
    let target = stream.uniform() * (cumulative.last ?? 0)
    var low = 0
    var high = strata.count - 1
    while low < high {
      let middle = (low + high) / 2
      if cumulative[middle] > target { high = middle } else { low = middle + 1 }
    }
    let stratum = strata[low]
    var active = layout.space.fixedLayers ?? []
    if layout.searchesLayers {
      active = Array(stream.shuffled(Array(0..<layout.space.layers)).prefix(stratum.active)).sorted()
    }
    return layout.levels(active: active, count: stratum.count, rankIndex: stratum.rank)
  }
}
