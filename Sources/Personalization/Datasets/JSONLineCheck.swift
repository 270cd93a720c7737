import Foundation

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
    do {
      _ = try RecordParser.parse(line)
      return nil
    } catch let failure as RecordParser.Failure {
      let rest = String(decoding: line.dropFirst(failure.column - 1).prefix(20), as: UTF8.self)
      return Problem(reason: notANumber(rest) ?? failure.reason, column: failure.column)
    } catch {
      return Problem(reason: "\(error)", column: 1)
    }
  }

  private static func notANumber(_ text: String) -> String? {
    let names = ["NaN", "nan", "-NaN", "-nan", "Infinity", "-Infinity", "inf", "-inf", "Inf", "-Inf"]
    // The longest first: "Infinity" begins with "Inf".
    if let name = names.sorted(by: { $0.count > $1.count }).first(where: text.hasPrefix) {
      return "\(name) is no number in JSON; write null for a value that is none"
    }
    let word = text.prefix { $0.isNumber || "+-.eE".contains($0) }
    if let value = Double(word), !value.isFinite {
      return "\(word) is too large for a number; write null for a value that is none"
    }
    return nil
  }
}
