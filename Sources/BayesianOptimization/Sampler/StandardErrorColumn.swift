/// The standard errors of one objective, with the gaps filled.
///
/// One result without its error must not make the errors of all others worth nothing, and must not count as exact either:
/// the median of the known ones stands for it.
struct StandardErrorColumn: Sendable, Hashable {
  /// One per observation, in the objective's units.
  let values: [Double]
  /// How many of them were not known.
  let unknown: Int
  /// What stands for those.
  let median: Double

  /// Returns nil when no error is known; what is negative or not a finite number is not known.
  init?(_ errors: [Double?]) {
    let usable = errors.map { error in error.flatMap { $0.isFinite && $0 >= 0 ? $0 : nil } }
    let known = usable.compactMap { $0 }.sorted()
    guard !known.isEmpty else { return nil }
    let median = known[known.count / 2]
    self.median = median
    values = usable.map { $0 ?? median }
    unknown = usable.count - known.count
  }
}
