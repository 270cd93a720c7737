/// Text of others (workers, files, programs) made fit for a terminal, a table or a log line.
///
/// A worker's name or a program's last line may hold escape sequences that recolour or retitle a terminal, and line ends
/// that forge lines of a log. Such characters are shown as what they are: `\u{1b}`, `\n`. JSON needs none of this: its
/// strings escape them already (see ``json(_:)`` for the rest).
package enum PrintableText {
  /// One line: control characters, line ends and tabs included, are escaped.
  ///
  /// - Parameter limit: the scalars that are shown; where the text is cut it says so, with its size in bytes. Default: all.
  package static func line(_ text: String, limit: Int = .max) -> String {
    escaped(text, limit: limit, keeping: { _ in false })
  }

  /// Several lines: line ends and tabs stay, all other control characters are escaped.
  package static func block(_ text: String) -> String {
    escaped(text, limit: .max, keeping: { $0 == "\n" || $0 == "\t" })
  }

  /// Serialised JSON in which no control character is left raw.
  ///
  /// Encoders escape those below 32; delete, the C1 controls and bidirectional overrides are legal there and not harmless.
  package static func json(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: { isControl($0) && $0.value >= 0x20 }) else { return text }
    var result = ""
    for scalar in text.unicodeScalars {
      if isControl(scalar), scalar.value >= 0x20 {
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        result.unicodeScalars.append(scalar)
      }
    }
    return result
  }

  /// Whether a terminal may act on the character instead of showing it.
  package static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0..<0x20, 0x7F..<0xA0: true
    // Line and paragraph separators; marks, embeddings, overrides and isolates of direction.
    case 0x2028, 0x2029, 0x200E, 0x200F, 0x202A...0x202E, 0x2066...0x2069, 0x061C: true
    default: false
    }
  }

  private static func escaped(
    _ text: String, limit: Int, keeping isKept: (Unicode.Scalar) -> Bool
  ) -> String {
    guard text.utf8.count > limit || text.unicodeScalars.contains(where: { isControl($0) && !isKept($0) }) else {
      return text
    }
    var result = ""
    for (index, scalar) in text.unicodeScalars.enumerated() {
      if index >= limit { return result + "… (\(text.utf8.count) bytes)" }
      guard isControl(scalar), !isKept(scalar) else {
        result.unicodeScalars.append(scalar)
        continue
      }
      switch scalar {
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      default: result += "\\u{\(String(scalar.value, radix: 16))}"
      }
    }
    return result
  }
}

extension String {
  /// The text as one line that is safe to show, cut from `limit` scalars on (``PrintableText/line(_:limit:)``).
  package func printable(limit: Int = 200) -> String { PrintableText.line(self, limit: limit) }
}

extension [UInt8] {
  /// The bytes as a text that is safe to show; what is not UTF-8 becomes `\u{FFFD}`.
  package func printable(limit: Int = 200) -> String { String(decoding: self, as: UTF8.self).printable(limit: limit) }
}
