import Foundation
import StrictJSON

/// What is wrong with one line of JSON, where readers only say that something is.
package enum JSONLineCheck {
  /// A reason and the column (in bytes, from 1).
  package struct Problem: Sendable, Hashable {
    package var reason: String
    package var column: Int
  }

  /// Nil for one JSON value (RFC 8259) without a key that stands twice.
  ///
  /// Names what other programs write for numbers that are none: Python's NaN and Infinity.
  package static func problem(in line: Data) -> Problem? {
    do throws(JSONError) {
      _ = try JSONValue(parsing: line, rules: JSONRules())
      return nil
    } catch {
      let reason =
        switch error.problem {
        case .notANumber: "\(error.message); write null for a value that is none"
        case .numberOutOfRange(let number): "\(number) is too large for a number; write null for a value that is none"
        default: error.message
        }
      return Problem(reason: reason, column: error.column)
    }
  }
}
