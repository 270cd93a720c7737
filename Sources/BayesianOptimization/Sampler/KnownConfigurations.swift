import RandomStreams

/// The observed and pending part of a space in canonical form.
struct KnownConfigurations {
  let space: SearchSpace
  /// Canonical levels of everything observed or pending.
  private(set) var levels: Set<[Int]> = []
  /// Valid ones among them.
  private(set) var validCount = 0
  /// Observations and pending configurations that do not belong to the space.
  private(set) var strangers = 0

  init(_ space: SearchSpace, _ request: ProposalRequest) {
    self.space = space
    for observation in request.observations { insert(observation.configuration) }
    for configuration in request.pending { insert(configuration) }
  }

  mutating func insert(_ configuration: Configuration) {
    guard let raw = try? space.levels(of: configuration) else {
      // NULL may be observed in a space that has no place for it.
      if !configuration.isNull { strangers += 1 }
      return
    }
    let canonical = space.canonical(raw)
    if levels.insert(canonical).inserted && space.isValid(canonical) { validCount += 1 }
  }

  /// Whether every valid configuration is known.
  var isExhausted: Bool { space.size.exact.map { validCount >= $0 } ?? false }

  func isFresh(_ candidate: [Int]) -> Bool { !levels.contains(candidate) && space.isValid(candidate) }

  /// A valid configuration that is not known: uniform draws, then enumeration of what is left.
  func randomFresh(using stream: inout RandomStream) -> [Int]? {
    guard !isExhausted else { return nil }
    let draws = RandomDraws(space)
    for _ in 0..<200 {
      let candidate = draws.next(using: &stream)
      if isFresh(candidate) { return candidate }
    }
    // So many collisions mean that the space is small or nearly used up.
    if let all = space.enumeratedLevels(limit: 1 << 20) {
      let rest = all.filter(isFresh)
      return rest.isEmpty ? nil : rest[stream.integer(below: rest.count)]
    }
    for _ in 0..<100_000 {
      let candidate = draws.next(using: &stream)
      if isFresh(candidate) { return candidate }
    }
    return nil
  }
}
