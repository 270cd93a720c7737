/// A transition or a store operation that was refused.
public struct StudyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of error; a struct, so that new codes do not break callers.
  public struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Value: String {
      case unknownTrial, unknownToken, illegalTransition, conflictingResult, duplicateKey, invalidResult
      case sequenceConflict, alreadyExists, notFound
      case locked, newerSchema, corrupt, vanished, diskFull, inputOutput, busy, readOnly, wrongStudy, permission
      case unstorable
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }

    public static let unknownTrial = Code(.unknownTrial)
    public static let unknownToken = Code(.unknownToken)
    /// The state machine has no such arrow.
    public static let illegalTransition = Code(.illegalTransition)
    /// The same attempt was reported before with a different payload.
    public static let conflictingResult = Code(.conflictingResult)
    /// The configuration is a trial of this study already.
    public static let duplicateKey = Code(.duplicateKey)
    public static let invalidResult = Code(.invalidResult)
    /// The transition was computed from another state than the stored one.
    public static let sequenceConflict = Code(.sequenceConflict)
    public static let alreadyExists = Code(.alreadyExists)
    public static let notFound = Code(.notFound)
    /// Another coordinator owns the study.
    public static let locked = Code(.locked)
    /// The file was written by a newer program.
    public static let newerSchema = Code(.newerSchema)
    public static let corrupt = Code(.corrupt)
    /// The database was removed or replaced while it was open.
    public static let vanished = Code(.vanished)
    public static let diskFull = Code(.diskFull)
    public static let inputOutput = Code(.inputOutput)
    public static let busy = Code(.busy)
    public static let readOnly = Code(.readOnly)
    public static let wrongStudy = Code(.wrongStudy)
    public static let permission = Code(.permission)
    /// The store cannot hold a value of the step, now or later; nothing else is wrong with it.
    public static let unstorable = Code(.unstorable)

    public var description: String { value.rawValue }

    /// The code of that name (its `description`), or nil.
    public init?(name: String) {
      guard let value = Value(rawValue: name) else { return nil }
      self.value = value
    }

    /// The operation may succeed later without anybody changing the study: the coordinator pauses and tries again.
    public var isTemporary: Bool { self == .diskFull || self == .inputOutput || self == .busy }
  }

  /// What kind of error.
  public var code: Code
  /// What went wrong, where, and the remedy.
  public var message: String

  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  public var description: String { message }
}
