/// One named quantity that a study optimises.
public struct Objective: Hashable, Sendable, Codable {
  /// Whether small or large values are good.
  public enum Direction: String, Hashable, Sendable, Codable, CaseIterable {
    case minimize, maximize

    /// +1 for maximise, −1 for minimise: multiply to get a maximised value, multiply again to get back.
    public var sign: Double { self == .maximize ? 1 : -1 }
  }

  public var name: String
  public var direction: Direction

  public init(name: String, direction: Direction) {
    self.name = name
    self.direction = direction
  }
}
