/// One named quantity that a study optimises.
public struct Objective: Hashable, Sendable, Codable {
  /// Whether small or large values are good.
  public enum Direction: String, Hashable, Sendable, Codable, CaseIterable {
    case minimize, maximize

    /// +1 for maximise, −1 for minimise: multiply to get a maximised value, multiply again to get back.
    public var sign: Double { self == .maximize ? 1 : -1 }
  }

  /// The largest magnitude of a value that is taken.
  ///
  /// The hypervolume is a product of up to four differences of objectives, which must stay below the largest number
  /// that there is, about 1.8e308: (2 · 1e75)⁴ is 1.6e301.
  public static let largestMagnitude = 1e75

  /// The name that observations use.
  public var name: String
  /// Whether small or large values are good.
  public var direction: Direction

  /// An objective.
  public init(name: String, direction: Direction) {
    self.name = name
    self.direction = direction
  }
}

extension Objective {
  /// Scores that are fractions wherever they are stored, told or attached: ROUGE and what is made like it.
  public static let fractions: Set<String> = ["rougeL", "rouge1", "personaF1", "factRecall"]

  /// Whether this objective is one of the scores that are fractions between 0 and 1.
  public var isFraction: Bool { Self.fractions.contains(name) }

  /// Why the hypervolume of `value` would be no number, nil when it is one; a value that is not finite is not asked here.
  public func magnitudeProblem(with value: Double) -> String? {
    guard abs(value) > Self.largestMagnitude, value.isFinite else { return nil }
    return "\(name)=\(value) is beyond ±\(Self.largestMagnitude), where its hypervolume is no number any more; "
      + "write null for a trial that has diverged, or a larger unit"
  }

  /// Why `value` cannot be a value of this objective, nil when it can; a value that is not a number is not asked here.
  public func problem(with value: Double) -> String? {
    if let problem = magnitudeProblem(with: value) { return problem }
    guard isFraction, value.isFinite, !(0...1).contains(value) else { return nil }
    let advice = value > 1 && value <= 100 ? "write \(value / 100) for \(value) %" : "scores lie between 0 and 1"
    return "\(name)=\(value): \(name) is a fraction here; \(advice)"
  }
}
