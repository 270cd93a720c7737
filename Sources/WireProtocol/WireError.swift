import Study

/// What went wrong on the wire, and what to do about it.
///
/// A frame that breaks a rule is refused whole: nothing of it reaches the study.
package struct WireError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of error; new kinds may be added, so match with `==` and keep a default.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    private enum Value: String {
      case tooLarge, notJSON, tooDeep, tooMany, unknownType, unknownField, missingField, wrongType, outOfRange
      case unsupportedVersion, wrongDirection, badAttachment
    }
    private let value: Value
    private init(_ value: Value) { self.value = value }
    package var description: String { value.rawValue }

    /// The frame is longer than the limit; it was refused before it was read.
    package static let tooLarge = Self(.tooLarge)
    /// The frame is not valid JSON in UTF-8.
    package static let notJSON = Self(.notJSON)
    /// Arrays and objects are nested deeper than the limit.
    package static let tooDeep = Self(.tooDeep)
    /// A string, array or object is longer than its limit.
    package static let tooMany = Self(.tooMany)
    /// The message type is not in the fixed set.
    package static let unknownType = Self(.unknownType)
    /// A field that the message does not have.
    package static let unknownField = Self(.unknownField)
    /// A required field is not there.
    package static let missingField = Self(.missingField)
    /// A field holds a value of another type.
    package static let wrongType = Self(.wrongType)
    /// A field holds a value outside its range.
    package static let outOfRange = Self(.outOfRange)
    /// The other side speaks another version of the protocol.
    package static let unsupportedVersion = Self(.unsupportedVersion)
    /// A message that only the other side may send.
    package static let wrongDirection = Self(.wrongDirection)
    /// A raw frame is missing, not expected, or does not have the announced length or digest.
    package static let badAttachment = Self(.badAttachment)
  }

  /// The kind of error.
  package var code: Code
  /// What is wrong and the remedy, without any payload of the frame.
  package var message: String
  /// Where in the frame: a path such as `result.objectives.loss`, or a byte offset.
  package var location: String

  /// Which message it is, where so much of the frame could be read.
  package var subject: Subject?

  /// A message about an attempt that could be read in part.
  package struct Subject: Equatable, Sendable {
    package var type: MessageType
    /// Running number of the message.
    package var id: Int64
    package var attempt: AttemptToken
  }

  package init(_ code: Code, _ message: String, at location: String = "") {
    self.code = code
    self.message = message
    // A location may hold a field name that the other side chose: no control characters into the log.
    self.location = String(
      String.UnicodeScalarView(location.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }))
  }

  package var description: String {
    location.isEmpty ? "\(code): \(message)" : "\(code) at \(location): \(message)"
  }
}
