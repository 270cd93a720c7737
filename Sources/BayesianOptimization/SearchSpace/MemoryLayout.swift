/// The variables of a memory space and the rules that make its configurations canonical and valid.
struct MemoryLayout: Sendable, Hashable {
  let space: MemorySpace
  /// Whether α, n, r are searched.
  let searchesLayers: Bool
  let searchesCount: Bool
  let searchesRank: Bool
  let ranks: [Int]
  let variables: [SearchSpace.Variable]

  init(_ space: MemorySpace) throws {
    try Self.check(space)
    self.space = space
    ranks = space.ranks
    searchesLayers = space.fixedLayers == nil
    searchesCount = space.count.count > 1
    searchesRank = space.ranks.count > 1
    var variables: [SearchSpace.Variable] = []
    if searchesLayers {
      variables += (0..<space.layers).map {
        SearchSpace.Variable(name: "layer \($0)", levels: 2, kind: .toggle, codes: [0, 1])
      }
    }
    if searchesCount {
      let top = Double(space.count.upperBound)
      variables.append(
        SearchSpace.Variable(
          name: "count", levels: space.count.count, kind: .ordered, codes: space.count.map { Double($0) / top }))
    }
    if searchesRank {
      let top = Double(ranks.count - 1)
      variables.append(
        SearchSpace.Variable(
          name: "rank", levels: ranks.count, kind: .ordered, codes: ranks.indices.map { Double($0) / top }))
    }
    self.variables = variables
  }

  private static func check(_ space: MemorySpace) throws {
    func refuse(_ message: String) -> SearchSpaceError { SearchSpaceError(.invalidSpace, "space: " + message) }
    guard (1...1_024).contains(space.layers) else {
      throw refuse("layers must be in 1...1024, is \(space.layers)")
    }
    guard space.count.lowerBound >= 0, (1...4_096).contains(space.count.upperBound) else {
      throw refuse("count must lie in 0...4096 and reach at least 1, is \(space.count)")
    }
    guard !space.ranks.isEmpty, space.ranks.allSatisfy({ (1...65_536).contains($0) }),
      zip(space.ranks, space.ranks.dropFirst()).allSatisfy({ $0 < $1 })
    else { throw refuse("ranks must be distinct, ascending and in 1...65536, are \(space.ranks)") }
    guard space.layers * space.count.count * space.ranks.count <= 1 << 22 else {
      throw refuse("layers x counts x ranks is above 4 million; use fewer ranks or a smaller range of count")
    }
    if let fixed = space.fixedLayers {
      guard !fixed.isEmpty, fixed.allSatisfy({ (0..<space.layers).contains($0) }),
        zip(fixed, fixed.dropFirst()).allSatisfy({ $0 < $1 })
      else { throw refuse("fixed layers must be distinct, ascending and in 0..<\(space.layers), are \(fixed)") }
    }
    guard space.matrices.allSatisfy({ $0.input > 0 && $0.output > 0 && $0.input + $0.output <= 1 << 22 }),
      space.matrices.count <= 16
    else { throw refuse("matrix shapes must be positive and at most 16") }
    if space.maxTrainable != nil && space.matrices.isEmpty {
      throw refuse("maxTrainable needs the shapes of the target matrices")
    }
  }

  /// α of some levels: the active layers, ascending.
  func active(_ levels: [Int]) -> [Int] {
    guard searchesLayers else { return space.fixedLayers ?? [] }
    return (0..<space.layers).filter { levels[$0] == 1 }
  }

  /// n of some levels.
  func count(_ levels: [Int]) -> Int {
    space.count.lowerBound + (searchesCount ? levels[searchesLayers ? space.layers : 0] : 0)
  }

  /// The index of r among the ranks.
  func rankIndex(_ levels: [Int]) -> Int { searchesRank ? levels[variables.count - 1] : 0 }

  /// The levels of active layers, n and the index of r.
  func levels(active: [Int], count: Int, rankIndex: Int) -> [Int] {
    var levels: [Int] = []
    levels.reserveCapacity(variables.count)
    if searchesLayers {
      levels = [Int](repeating: 0, count: space.layers)
      for layer in active { levels[layer] = 1 }
    }
    if searchesCount { levels.append(count - space.count.lowerBound) }
    if searchesRank { levels.append(rankIndex) }
    return levels
  }

  func isNull(_ levels: [Int]) -> Bool { count(levels) == 0 || active(levels).isEmpty }

  /// NULL has no layers (where they are searched), the smallest count and the smallest rank.
  var nullLevels: [Int] {
    levels(active: space.fixedLayers ?? [], count: space.count.lowerBound, rankIndex: 0)
  }

  /// The canonical representative: idle layers dropped, idle LoRAs dropped, equal effective ranks merged if asked.
  func canonical(_ levels: [Int]) -> [Int] {
    let active = active(levels)
    let all = count(levels)
    if active.isEmpty || all == 0 { return nullLevels }
    let hasIdle = space.placement != .perLayer && searchesLayers && active.count > all
    var (count, rankIndex) = (canonicalCount(active: active.count, count: all), rankIndex(levels))
    if space.dedupeByEffectiveRank && space.placement == .perLayer {
      (count, rankIndex) = mergedEffectiveRank(count: count, rank: rankIndex)
    }
    return self.levels(active: hasIdle ? Array(active.prefix(all)) : active, count: count, rankIndex: rankIndex)
  }

  /// n without LoRAs that find no layer (`onePerLayer`), never below the range.
  private func canonicalCount(active: Int, count: Int) -> Int {
    space.placement == .onePerLayer ? max(space.count.lowerBound, min(count, active)) : count
  }

  /// Among all (n', r') of the space with n'·r' = n·r, the one with the largest rank.
  private func mergedEffectiveRank(count: Int, rank: Int) -> (Int, Int) {
    let product = count * ranks[rank]
    for candidate in ranks.indices.reversed()
    where product % ranks[candidate] == 0 && space.count.contains(product / ranks[candidate]) {
      return (product / ranks[candidate], candidate)
    }
    return (count, rank)
  }

  /// Whether a canonical configuration with `active` layers is within the guards; depends on the sizes only.
  func isWithinBudget(active: Int, count: Int, rank: Int) -> Bool {
    if let limit = space.maxEffectiveRank,
      space.effectiveRank(active: active, count: count, rank: ranks[rank]) > limit
    {
      return false
    }
    if let limit = space.maxTrainable,
      space.trainableParameters(active: active, count: count, rank: ranks[rank]) > limit
    {
      return false
    }
    return true
  }

  /// Sizes (|A|, n, index of r) of all valid canonical configurations, in a fixed order.
  struct Stratum: Hashable {
    var active: Int
    var count: Int
    var rank: Int
  }

  func strata() -> [Stratum] {
    let sizes = searchesLayers ? Array(1...space.layers) : [space.fixedLayers?.count ?? 0]
    var result: [Stratum] = []
    for active in sizes {
      for count in space.count where count > 0 {
        if searchesLayers && space.placement != .perLayer && active > count { continue }
        if canonicalCount(active: active, count: count) != count { continue }
        for rank in ranks.indices where isWithinBudget(active: active, count: count, rank: rank) {
          if space.dedupeByEffectiveRank && space.placement == .perLayer
            && mergedEffectiveRank(count: count, rank: rank) != (count, rank)
          {
            continue
          }
          result.append(Stratum(active: active, count: count, rank: rank))
        }
      }
    }
    return result
  }
}
