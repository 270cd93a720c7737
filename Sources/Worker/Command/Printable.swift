import Foundation

extension String {
  /// The text as one line that is safe to show: control characters and what turns the direction of writing are written as
  /// `\u{1b}`; from `limit` characters on it is cut, and says so.
  func printable(limit: Int = 200) -> String {
    var text = ""
    var count = 0
    for scalar in unicodeScalars {
      if count >= limit { return text + "… (\(utf8.count) bytes)" }
      count += 1
      switch scalar.value {
      case 0x09: text += "\\t"
      case 0x0A: text += "\\n"
      case 0x0D: text += "\\r"
      case 0..<0x20, 0x7F...0x9F, 0x2028...0x202E, 0x2066...0x2069, 0x200E, 0x200F, 0x061C:
        text += "\\u{" + String(scalar.value, radix: 16) + "}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}

extension [UInt8] {
  /// The bytes as a text that is safe to show; what is no UTF-8 becomes `\u{FFFD}`.
  func printable(limit: Int = 200) -> String { String(decoding: self, as: UTF8.self).printable(limit: limit) }
}

/// Standard error of this process, whose reader may be gone.
enum StandardError {
  /// Writes a line; without a reader it is lost, which is no reason to end.
  static func write(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    var offset = 0
    while offset < bytes.count {
      let count = bytes.withUnsafeBytes {
        Foundation.write(STDERR_FILENO, $0.baseAddress?.advanced(by: offset), $0.count - offset)
      }
      if count < 0 && errno == EINTR { continue }
      if count <= 0 { return }
      offset += count
    }
  }
}
