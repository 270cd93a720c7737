import RandomStreams
import Synchronization

/// The observed and pending part of a space in canonical form.
struct KnownConfigurations: Sendable {
  let space: SearchSpace
  /// Canonical levels of what was observed.
  private var observed: Set<[Int]> = []
  /// Canonical levels of what is pending: apart, so that a long history is shared between requests and not copied.
  private var pending: Set<[Int]> = []
  /// Valid ones among them.
  private(set) var validCount = 0
  /// Observations and pending configurations that do not belong to the space.
  private(set) var strangers = 0

  init(_ space: SearchSpace, _ request: ProposalRequest) {
    self.space = space
    for observation in request.observations { observe(observation.configuration) }
    for configuration in request.pending { insert(configuration) }
  }

  fileprivate init(_ space: SearchSpace) { self.space = space }

  /// Canonical levels of everything observed or pending.
  var levels: Set<[Int]> { observed.union(pending) }

  /// Adds a pending configuration.
  mutating func insert(_ configuration: Configuration) {
    guard let canonical = canonical(configuration), !observed.contains(canonical) else { return }
    if pending.insert(canonical).inserted && space.isValid(canonical) { validCount += 1 }
  }

  /// Adds an observed configuration; before the pending ones.
  fileprivate mutating func observe(_ configuration: Configuration) {
    guard let canonical = canonical(configuration) else { return }
    if observed.insert(canonical).inserted && space.isValid(canonical) { validCount += 1 }
  }

  private mutating func canonical(_ configuration: Configuration) -> [Int]? {
    guard let raw = try? space.levels(of: configuration) else {
      // NULL may be observed in a space that has no place for it.
      if !configuration.isNull { strangers += 1 }
      return nil
    }
    return space.canonical(raw)
  }

  /// Whether every valid configuration is known.
  var isExhausted: Bool { space.size.exact.map { validCount >= $0 } ?? false }

  func isFresh(_ candidate: [Int]) -> Bool {
    !observed.contains(candidate) && !pending.contains(candidate) && space.isValid(candidate)
  }

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

/// What the requests of one study have in common: each brings the whole history, which is the one before and some more.
///
/// A sampler whose proposals are cheap would otherwise spend its time on putting the same history into canonical form,
/// the more the longer the study. Nothing but time depends on it: a history that is not a continuation is read anew.
final class KnownHistory: Sendable {
  private struct Memory {
    /// Not the observations themselves: who appends to those would have to copy them as long as they are held here.
    var configurations: [Configuration]
    var known: KnownConfigurations
  }

  private let space: SearchSpace
  private let memory = Mutex<Memory?>(nil)

  init(_ space: SearchSpace) { self.space = space }

  /// The same as `KnownConfigurations(space, request)`.
  func known(_ request: ProposalRequest) -> KnownConfigurations {
    var known = memory.withLock { memory in
      var (old, known) = (memory?.configurations ?? [], memory?.known ?? KnownConfigurations(space))
      // The only reference: what is added below is added in place.
      memory = nil
      // Configurations that were copied from each other share their storage, so that equality costs next to nothing.
      let isContinued =
        old.count <= request.observations.count
        && zip(old, request.observations).allSatisfy { $0 == $1.configuration }
      if !isContinued { (old, known) = ([], KnownConfigurations(space)) }
      for observation in request.observations[old.count...] {
        known.observe(observation.configuration)
        old.append(observation.configuration)
      }
      memory = Memory(configurations: old, known: known)
      return known
    }
    for configuration in request.pending { known.insert(configuration) }
    return known
  }
}
