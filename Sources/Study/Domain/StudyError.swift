/// A transition or a store operation that was refused.
package struct StudyError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What kind of error; a struct, so that new codes do not break callers.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Value: String {
      case unknownTrial, unknownToken, illegalTransition, conflictingResult, duplicateKey, invalidResult
      case sequenceConflict, alreadyExists, notFound
      case locked, newerSchema, corrupt, vanished, diskFull, inputOutput, busy, readOnly, wrongStudy, permission
      case unstorable
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }

    package static let unknownTrial = Code(.unknownTrial)
    package static let unknownToken = Code(.unknownToken)
    /// The state machine has no such arrow.
    package static let illegalTransition = Code(.illegalTransition)
    /// The same attempt was reported before with a different payload.
    package static let conflictingResult = Code(.conflictingResult)
    /// The configuration is a trial of this study already.
    package static let duplicateKey = Code(.duplicateKey)
    package static let invalidResult = Code(.invalidResult)
    /// The transition was computed from another state than the stored one.
    package static let sequenceConflict = Code(.sequenceConflict)
    package static let alreadyExists = Code(.alreadyExists)
    package static let notFound = Code(.notFound)
    /// Another coordinator owns the study.
    package static let locked = Code(.locked)
    /// The file was written by a newer program.
    package static let newerSchema = Code(.newerSchema)
    package static let corrupt = Code(.corrupt)
    /// The database was removed or replaced while it was open.
    package static let vanished = Code(.vanished)
    package static let diskFull = Code(.diskFull)
    package static let inputOutput = Code(.inputOutput)
    package static let busy = Code(.busy)
    package static let readOnly = Code(.readOnly)
    package static let wrongStudy = Code(.wrongStudy)
    package static let permission = Code(.permission)
    /// The store cannot hold a value of the step, now or later; nothing else is wrong with it.
    package static let unstorable = Code(.unstorable)

    package var description: String { value.rawValue }

    /// The code of that name (its `description`), or nil.
    package init?(name: String) {
      guard let value = Value(rawValue: name) else { return nil }
      self.value = value
    }

    /// The operation may succeed later without anybody changing the study: the coordinator pauses and tries again.
    package var isTemporary: Bool { self == .diskFull || self == .inputOutput || self == .busy }
  }

  /// What kind of error.
  package var code: Code
  /// What went wrong, where, and the remedy.
  package var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  package var description: String { message }
}
