// Steady-state NSGA-II over a discrete space.
//
// K. Deb, A. Pratap, S. Agarwal, T. Meyarivan, "A fast and elitist multiobjective genetic algorithm: NSGA-II", IEEE TEC
// 6 (2002). The population is the best of all observations by (rank, crowding distance); every proposal is one child by
// binary tournaments, uniform crossover and mutation, so that it works asynchronously and without state.

import RandomStreams

/// NSGA-II behind the sampler contract: an honest baseline.
struct NSGA2Sampler: Sampler {
  let space: SearchSpace
  let objectives: [Objective]
  let settings: SamplerSettings
  /// Size of the population; initial points are drawn until it is reached.
  var population = 20
  var crossover = 0.9

  func propose(_ request: ProposalRequest) -> ProposalOutcome {
    let known = KnownConfigurations(space, request)
    let members = request.observations.compactMap { observation -> (levels: [Int], values: [Double])? in
      guard let values = observation.maximizedValues(objectives),
        let raw = try? space.levels(of: observation.configuration)
      else { return nil }
      return (space.canonical(raw), values)
    }
    let size = min(population, max(2, settings.initial))
    if request.index < size || members.count < 2 {
      let points = InitialPoints(space: space, design: settings.initialDesign)
      guard let point = points.next(known, seed: request.seed, index: request.index) else { return .spaceExhausted }
      return .proposal(Proposal(configuration: space.configuration(point.levels), source: "initial"))
    }
    guard !known.isExhausted else { return .spaceExhausted }
    let chosen = Self.survivors(members.map(\.values), count: size)
    var stream = RandomStream(seed: request.seed, purpose: "nsga2", index: UInt64(max(0, request.index)))
    for _ in 0..<100 {
      let mother = tournament(chosen, &stream)
      let father = tournament(chosen, &stream)
      let child = space.canonical(breed(members[mother].levels, members[father].levels, &stream))
      if known.isFresh(child) {
        return .proposal(Proposal(configuration: space.configuration(child), source: "nsga2"))
      }
    }
    guard let fresh = known.randomFresh(using: &stream) else { return .spaceExhausted }
    return .proposal(
      Proposal(
        configuration: space.configuration(fresh), source: "random",
        fallbacks: ["random draw: no unseen child in 100 attempts"]))
  }

  /// Positions are in survival order, so that the smaller of two positions wins.
  private func tournament(_ chosen: [Int], _ stream: inout RandomStream) -> Int {
    let a = stream.integer(below: chosen.count)
    let b = stream.integer(below: chosen.count)
    return chosen[min(a, b)]
  }

  private func breed(_ mother: [Int], _ father: [Int], _ stream: inout RandomStream) -> [Int] {
    var child = mother
    if stream.bernoulli(crossover) {
      for index in child.indices where stream.bernoulli(0.5) { child[index] = father[index] }
    }
    let rate = 1 / Double(max(1, child.count))
    for index in child.indices where stream.bernoulli(rate) {
      child[index] = stream.integer(below: space.variables[index].levels)
    }
    return child
  }

  /// Indices of the best `count` rows by rank, then crowding distance, then age.
  static func survivors(_ rows: [[Double]], count: Int) -> [Int] {
    let ranks = Dominance.ranks(rows)
    let crowding = crowdingDistances(rows, ranks: ranks)
    return rows.indices.sorted { a, b in
      if ranks[a] != ranks[b] { return ranks[a] < ranks[b] }
      if crowding[a] != crowding[b] { return crowding[a] > crowding[b] }
      return a < b
    }.prefix(count).map { $0 }
  }

  /// Sum over objectives of the normalised gap between the neighbours within a rank; infinity at the ends.
  static func crowdingDistances(_ rows: [[Double]], ranks: [Int]) -> [Double] {
    var distances = [Double](repeating: 0, count: rows.count)
    for rank in Set(ranks) {
      let members = rows.indices.filter { ranks[$0] == rank }
      for objective in rows[0].indices {
        let order = members.sorted { (rows[$0][objective], $0) < (rows[$1][objective], $1) }
        guard let first = order.first, let last = order.last else { continue }
        let range = rows[last][objective] - rows[first][objective]
        distances[first] = .infinity
        distances[last] = .infinity
        guard range > 0, order.count > 2 else { continue }
        for position in 1..<(order.count - 1) {
          distances[order[position]] +=
            (rows[order[position + 1]][objective] - rows[order[position - 1]][objective]) / range
        }
      }
    }
    return distances
  }
}
