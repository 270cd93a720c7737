/// Why a text is not the JSON that a reader takes, and where.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong; texts are pieces of the input.
  package enum Problem: Hashable, Sendable {
    case endsEarly, trailingText
    /// Something else than these words say.
    case expected(String)
    /// No value begins so.
    case unexpected(String)
    /// What other programs write for numbers that are none.
    case notANumber(String)
    case numberOutOfRange(String)
    case doubledKey(String)
    case unclosedString, controlCharacter, invalidUTF8, unpairedSurrogate, unknownEscape, badHexadecimal
    /// Limits: what there is too much of, and how much is allowed.
    case tooLarge(Int, limit: Int)
    case tooDeep(limit: Int)
    case tooMany(String, limit: Int)
  }

  package var problem: Problem
  /// Bytes before the place.
  package var position: Int
  /// Line of the place from 1; nil where the text has one line only.
  package var line: Int?
  /// Byte of the line, from 1.
  package var column: Int

  package init(_ problem: Problem, position: Int, line: Int?, column: Int) {
    self.problem = problem
    self.position = position
    self.line = line
    self.column = column
  }

  /// What is wrong, with the piece of input concerned.
  package var message: String {
    switch problem {
    case .unexpected(let text): "unexpected \"\(text)\""
    case .notANumber(let word): "\(word) is no number in JSON"
    case .doubledKey(let key): "the key \"\(key)\" appears twice"
    default: safeMessage
    }
  }

  /// What is wrong, without any piece of the input: fit for a log although the text is a stranger's.
  package var safeMessage: String {
    switch problem {
    case .endsEarly: "the text ends early"
    case .trailingText: "unexpected text after the value"
    case .expected(let what): "expected \(what)"
    case .unexpected, .notANumber: "not a value"
    case .numberOutOfRange: "a number out of range"
    case .doubledKey: "a key appears twice"
    case .unclosedString: "a string is not closed"
    case .controlCharacter: "a control character inside a string"
    case .invalidUTF8: "invalid UTF-8"
    case .unpairedSurrogate: "an unpaired surrogate"
    case .unknownEscape: "an unknown escape"
    case .badHexadecimal: "expected four hexadecimal digits after \\u"
    case .tooLarge(let count, let limit): "\(count) bytes, the limit is \(limit)"
    case .tooDeep(let limit): "nested deeper than \(limit) levels"
    case .tooMany(let what, let limit): "more than \(limit) \(what)"
    }
  }

  /// Where, in words: "line 2, column 7", or the column alone.
  package var place: String { line.map { "line \($0), column \(column)" } ?? "column \(column)" }

  package var description: String { "\(message) at \(place)" }
}
