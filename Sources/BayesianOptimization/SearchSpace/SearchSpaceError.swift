/// A space or a configuration that cannot be used, with the remedy.
public struct SearchSpaceError: Error, CustomStringConvertible, Equatable {
  /// What kind of problem it is.
  public struct Code: Sendable, Hashable, CustomStringConvertible {
    private enum Value: String { case invalidSpace, outsideSpace, nullConfiguration, overBudget }
    private let value: Value
    /// The declaration of the space makes no sense.
    public static let invalidSpace = Code(value: .invalidSpace)
    /// The configuration does not belong to the space.
    public static let outsideSpace = Code(value: .outsideSpace)
    /// The configuration is the un-injected base, which is never proposed.
    public static let nullConfiguration = Code(value: .nullConfiguration)
    /// The configuration is over the budget guard.
    public static let overBudget = Code(value: .overBudget)
    public var description: String { value.rawValue }
  }

  public let code: Code
  /// What is wrong, where, and what to do.
  public let message: String
  public var description: String { message }

  init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
