extension SearchSpace {
  /// The variables of a generic space; fixed factors are left out.
  static func variables(of factors: [Factor]) throws -> [Variable] {
    guard !factors.isEmpty else { throw SearchSpaceError(.invalidSpace, "factors: the list is empty; add a factor") }
    guard Set(factors.map(\.name)).count == factors.count else {
      throw SearchSpaceError(.invalidSpace, "factors: two factors share a name; names must be distinct")
    }
    var variables: [Variable] = []
    for factor in factors {
      try check(factor)
      guard factor.fixed == nil, factor.levels > 1 else { continue }
      let top = Double(factor.levels - 1)
      let kind: Variable.Kind =
        switch factor.domain {
        case .toggle: .toggle
        case .integer, .ordinal: .ordered
        case .categorical: .categorical
        }
      variables.append(
        Variable(
          name: factor.name, levels: factor.levels, kind: kind, codes: (0..<factor.levels).map { Double($0) / top }))
    }
    return variables
  }

  private static func check(_ factor: Factor) throws {
    let limit = Factor.largestCount
    if case .integer(let range) = factor.domain {
      guard factor.levels <= limit else {
        throw SearchSpaceError(
          .invalidSpace,
          "factor `\(factor.name)`: \(range.lowerBound) to \(range.upperBound) has more than \(limit) values; use a "
            + "coarser grid (ordinal)")
      }
    }
    guard factor.levels >= 1, factor.levels <= limit else {
      throw SearchSpaceError(.invalidSpace, "factor `\(factor.name)` needs between 1 and \(limit) values")
    }
    if case .categorical = factor.domain, factor.levels > 64 {
      throw SearchSpaceError(.invalidSpace, "factor `\(factor.name)`: at most 64 categories; use an ordinal factor")
    }
    switch factor.domain {
    case .ordinal(let values), .categorical(let values):
      if let endless = values.first(where: { !$0.isFinite }) {
        throw SearchSpaceError(
          .invalidSpace,
          "factor `\(factor.name)`: \(endless) is no value that can be stored; write a finite number")
      }
      for (index, value) in values.enumerated() where values[..<index].contains(where: { $0.means(value) }) {
        throw SearchSpaceError(.invalidSpace, "factor `\(factor.name)`: the value \(value) is listed twice")
      }
    default: break
    }
    if let fixed = factor.fixed, factor.level(of: fixed) == nil {
      throw SearchSpaceError(.invalidSpace, "factor `\(factor.name)`: the fixed value \(fixed) is not in its domain")
    }
  }

  func factorValue(variable: Int, level: Int) -> FactorValue {
    guard let factors, let factor = factors.first(where: { $0.name == variables[variable].name }) else {
      return .integer(level)
    }
    return factor.value(at: level)
  }

  /// The levels of `configuration` as written (not canonical); throws `outsideSpace`.
  package func levels(of configuration: Configuration) throws -> [Int] {
    switch (form, configuration.content) {
    case (.memory, .memory(let layers, let count, let rank)):
      return try memoryLevels(layers: layers, count: count, rank: rank)
    case (.generic(let factors), .factors(let values)):
      return try genericLevels(factors, values)
    case (.memory, .factors):
      throw SearchSpaceError(.outsideSpace, "the space has layers, count and rank; the configuration has factors")
    case (.generic, .memory):
      throw SearchSpaceError(.outsideSpace, "the space has factors; the configuration has layers, count and rank")
    }
  }

  private func memoryLevels(layers: [Int], count: Int, rank: Int) throws -> [Int] {
    guard let layout else { throw SearchSpaceError(.outsideSpace, "not a memory space") }
    let space = layout.space
    if layers.isEmpty || count == 0 {
      // NULL is encoded where some configuration of the space stands for it.
      guard layout.isNull(layout.nullLevels) else {
        throw SearchSpaceError(.outsideSpace, "NULL has no place in a space with fixed layers and count ≥ 1")
      }
      return layout.nullLevels
    }
    guard layers.allSatisfy({ (0..<space.layers).contains($0) }) else {
      throw SearchSpaceError(.outsideSpace, "layers \(layers) are not all in 0..<\(space.layers)")
    }
    guard space.count.contains(count) else {
      throw SearchSpaceError(.outsideSpace, "count \(count) is not in \(space.count)")
    }
    guard let rankIndex = space.ranks.firstIndex(of: rank) else {
      throw SearchSpaceError(.outsideSpace, "rank \(rank) is not one of \(space.ranks)")
    }
    if let fixed = space.fixedLayers {
      let kept = space.placement == .perLayer ? fixed : Array(fixed.prefix(count))
      guard layers == fixed || layers == kept else {
        throw SearchSpaceError(.outsideSpace, "layers \(layers) differ from the fixed layers \(fixed)")
      }
    }
    return layout.levels(active: layers, count: count, rankIndex: rankIndex)
  }

  private func genericLevels(_ factors: [Factor], _ values: [String: FactorValue]) throws -> [Int] {
    var levels: [Int] = []
    for factor in factors {
      guard let value = values[factor.name] else {
        throw SearchSpaceError(.outsideSpace, "the configuration has no value for factor `\(factor.name)`")
      }
      guard let level = factor.level(of: value) else {
        throw SearchSpaceError(.outsideSpace, "factor `\(factor.name)` cannot be \(value)")
      }
      if let fixed = factor.fixed, !factor.value(at: level).means(factor.value(at: factor.level(of: fixed) ?? 0)) {
        throw SearchSpaceError(.outsideSpace, "factor `\(factor.name)` is fixed at \(fixed), not \(value)")
      }
      if factor.fixed == nil && factor.levels > 1 { levels.append(level) }
    }
    if let stray = values.keys.sorted().first(where: { name in !factors.contains { $0.name == name } }) {
      throw SearchSpaceError(.outsideSpace, "the space has no factor `\(stray)`")
    }
    return levels
  }

  /// The canonical representative of `levels`.
  func canonical(_ levels: [Int]) -> [Int] {
    guard let layout else { return levels }
    return layout.canonical(levels)
  }

  /// Whether canonical `levels` may be proposed.
  func isValid(_ levels: [Int]) -> Bool {
    guard let layout else { return true }
    let (active, count) = (layout.active(levels).count, layout.count(levels))
    return active > 0 && count > 0
      && layout.isWithinBudget(active: active, count: count, rank: layout.rankIndex(levels))
  }

  /// The configuration of canonical `levels`.
  func configuration(_ levels: [Int]) -> Configuration {
    if let layout {
      let (active, count) = (layout.active(levels), layout.count(levels))
      if active.isEmpty || count == 0 { return nullConfiguration }
      let kept = layout.space.placement == .perLayer ? active : Array(active.prefix(count))
      return .memory(layers: kept, count: count, rank: layout.ranks[layout.rankIndex(levels)])
    }
    var values: [String: FactorValue] = [:]
    var position = 0
    for factor in factors ?? [] {
      if let fixed = factor.fixed {
        values[factor.name] = factor.value(at: factor.level(of: fixed) ?? 0)
      } else if factor.levels == 1 {
        values[factor.name] = factor.value(at: 0)
      } else {
        values[factor.name] = factor.value(at: levels[position])
        position += 1
      }
    }
    return .factors(values)
  }

  /// Coordinates of `levels` in the unit cube, D of them.
  func encode(levels: [Int]) -> [Double] {
    var row: [Double] = []
    row.reserveCapacity(dimension)
    for (variable, level) in zip(variables, levels) {
      if variable.columns == 1 {
        row.append(variable.codes[level])
      } else {
        for column in 0..<variable.columns { row.append(column == level ? 1 : 0) }
      }
    }
    return row
  }

  /// The key of a canonical configuration.
  func keyText(_ configuration: Configuration) -> String {
    switch configuration.content {
    case .memory(let layers, let count, let rank):
      return configuration.isNull ? "NULL" : "layers \(IndexRanges.text(layers)) count \(count) rank \(rank)"
    case .factors(let values):
      func escape(_ text: String) -> String {
        text.reduce(into: "") { result, character in
          if character == ";" || character == "=" || character == "\\" { result.append("\\") }
          result.append(character)
        }
      }
      return (factors ?? []).map { "\(escape($0.name))=\(escape(values[$0.name]?.description ?? ""))" }
        .joined(separator: ";")
    }
  }

  func budgetError(_ configuration: Configuration) -> SearchSpaceError {
    guard let layout, case .memory(let layers, let count, let rank) = configuration.content else {
      return SearchSpaceError(.outsideSpace, "the configuration is not valid in this space")
    }
    let parameters = layout.space.trainableParameters(active: layers.count, count: count, rank: rank)
    let effective = layout.space.effectiveRank(active: layers.count, count: count, rank: rank)
    return SearchSpaceError(
      .overBudget,
      "\(configuration): \(parameters) trainable parameters (limit \(layout.space.maxTrainable.map(String.init) ?? "none")),"
        + " effective rank \(effective) (limit \(layout.space.maxEffectiveRank.map(String.init) ?? "none"));"
        + " use fewer layers, a smaller count or a smaller rank, or raise the limit")
  }
}
