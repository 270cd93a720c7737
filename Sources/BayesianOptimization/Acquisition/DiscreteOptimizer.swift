// Maximisation of an acquisition function over a discrete space.
//
// Starts are observed Pareto points, their perturbations and random configurations; each start climbs by exhaustive
// one-exchange local search (all neighbours evaluated, best improvement), several starts side by side so that one
// batched call evaluates all their neighbours. Spaces smaller than the budget are evaluated completely. Known
// configurations may be walked from but are never returned.

import RandomStreams

/// Finds the best unseen configuration of a space under a batched score.
struct DiscreteOptimizer {
  let space: SearchSpace
  /// Canonical levels that must not be returned: observed or pending.
  let excluded: Set<[Int]>
  /// Budget of scored configurations.
  var evaluations = 2_000
  /// Local searches.
  var starts = 10
  /// Local searches that advance together.
  var width = 4

  /// The best configuration found.
  struct Result {
    var levels: [Int]
    var score: Double
    var evaluations: Int
  }

  /// Maximises `score` (larger is better, NaN counts as −infinity).
  ///
  /// Returns nil when nothing unseen scored above −infinity; throws what `score` throws.
  func maximize(
    pareto: [[Int]], stream: inout RandomStream, score: @escaping ([[Int]]) throws -> [Double]
  ) throws -> Result? {
    var search = Search(excluded: excluded, score: score)
    if let all = space.enumeratedLevels(limit: evaluations) {
      try search.evaluate(all.filter { !excluded.contains($0) })
      return search.best
    }
    let draws = RandomDraws(space)
    try search.evaluate(pool(pareto, draws: draws, stream: &stream))
    var queue = startingPoints(pareto, search: search, stream: &stream)
    var active: [(levels: [Int], score: Double)] = []
    while search.evaluations < evaluations {
      while active.count < width && !queue.isEmpty { active.append(queue.removeFirst()) }
      if active.isEmpty { break }
      let neighbourhoods = active.map { space.neighbours(of: $0.levels) }
      try search.evaluate(neighbourhoods.flatMap { $0 }, limit: evaluations)
      var next: [(levels: [Int], score: Double)] = []
      for (state, neighbours) in zip(active, neighbourhoods) {
        if let move = search.bestOf(neighbours), move.score > state.score,
          !next.contains(where: { $0.levels == move.levels })
        {
          next.append(move)
        }
      }
      active = next
    }
    return search.best
  }

  /// Random configurations and perturbed Pareto points: about a quarter of the budget.
  private func pool(_ pareto: [[Int]], draws: RandomDraws, stream: inout RandomStream) -> [[Int]] {
    let size = max(16, evaluations / 8)
    var result = (0..<size).map { _ in draws.next(using: &stream) }
    guard !pareto.isEmpty else { return result }
    for _ in 0..<size {
      var levels = pareto[stream.integer(below: pareto.count)]
      let moves = 1 + stream.integer(below: 3)
      for _ in 0..<moves {
        let index = stream.integer(below: space.variables.count)
        levels[index] = stream.integer(below: space.variables[index].levels)
      }
      let candidate = space.canonical(levels)
      if space.isValid(candidate) { result.append(candidate) }
    }
    return result
  }

  /// Half of the starts are Pareto points, the others the best of the pool.
  private func startingPoints(
    _ pareto: [[Int]], search: Search, stream: inout RandomStream
  ) -> [(levels: [Int], score: Double)] {
    let anchors = stream.shuffled(pareto).prefix(max(1, starts / 2)).map { ($0, -Double.infinity) }
    let ranked = search.ranked(starts - anchors.count)
    // Interleave, so that a small budget serves both kinds.
    var result: [(levels: [Int], score: Double)] = []
    for index in 0..<max(anchors.count, ranked.count) {
      if index < ranked.count { result.append(ranked[index]) }
      if index < anchors.count { result.append((levels: anchors[index].0, score: anchors[index].1)) }
    }
    return result
  }

  /// Scores so far.
  private struct Search {
    let excluded: Set<[Int]>
    let score: ([[Int]]) throws -> [Double]
    var scores: [[Int]: Double] = [:]
    /// Scored configurations in the order of their evaluation.
    var order: [[Int]] = []
    var evaluations: Int { order.count }

    init(excluded: Set<[Int]>, score: @escaping ([[Int]]) throws -> [Double]) {
      self.excluded = excluded
      self.score = score
    }

    mutating func evaluate(_ candidates: [[Int]], limit: Int = .max) throws {
      var fresh: [[Int]] = []
      for candidate in candidates where scores[candidate] == nil && !excluded.contains(candidate) {
        if order.count + fresh.count >= limit { break }
        scores[candidate] = -.infinity
        fresh.append(candidate)
      }
      guard !fresh.isEmpty else { return }
      for (candidate, value) in zip(fresh, try score(fresh)) { scores[candidate] = value.isNaN ? -.infinity : value }
      order += fresh
    }

    func bestOf(_ candidates: [[Int]]) -> (levels: [Int], score: Double)? {
      var best: (levels: [Int], score: Double)?
      for candidate in candidates {
        guard let value = scores[candidate], value > best?.score ?? -.infinity else { continue }
        best = (candidate, value)
      }
      return best
    }

    var best: Result? {
      bestOf(order).map { Result(levels: $0.levels, score: $0.score, evaluations: order.count) }
    }

    func ranked(_ count: Int) -> [(levels: [Int], score: Double)] {
      let indices = order.indices.sorted { a, b in
        let x = scores[order[a]] ?? -.infinity
        let y = scores[order[b]] ?? -.infinity
        return x != y ? x > y : a < b
      }
      return indices.prefix(max(0, count)).map { (levels: order[$0], score: scores[order[$0]] ?? -.infinity) }
    }
  }
}
