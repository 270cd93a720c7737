import Foundation

/// A strict reader of one JSON value per line (RFC 8259): Foundation's lets trailing commas pass and does not say where
/// it stopped.
///
/// Values come as `[String: Any]`, `[Any]`, `String`, `RecordNumber`, `Bool` and `NSNull`.
struct RecordParser {
  /// What is wrong, and in which column (in bytes, from 1).
  struct Failure: Error {
    var reason: String
    var column: Int
  }

  private static let maximumDepth = 64
  private let bytes: [UInt8]
  private let replacesSurrogates: Bool
  private var position = 0

  /// The value that `data` holds.
  ///
  /// - Parameter replacesSurrogates: half a surrogate pair becomes U+FFFD, as text of data files that was cut inside an
  ///   emoji may hold one; elsewhere it is refused.
  static func parse(_ data: Data, replacesSurrogates: Bool = false) throws -> Any {
    var parser = RecordParser(bytes: Array(data), replacesSurrogates: replacesSurrogates)
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == parser.bytes.count else { throw parser.failure("unexpected text after the value") }
    return value
  }

  private init(bytes: [UInt8], replacesSurrogates: Bool) {
    self.bytes = bytes
    self.replacesSurrogates = replacesSurrogates
  }

  private func failure(_ reason: String) -> Failure { Failure(reason: reason, column: position + 1) }

  private var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard current == UInt8(ascii: character) else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws -> Any {
    guard depth < Self.maximumDepth else { throw failure("nested deeper than \(Self.maximumDepth) levels") }
    skipSpace()
    switch current {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return try string()
    case nil: throw failure("the text ends early")
    default: return try literal()
    }
  }

  private mutating func object(depth: Int) throws -> [String: Any] {
    position += 1
    var object: [String: Any] = [:]
    skipSpace()
    if take("}") { return object }
    while true {
      skipSpace()
      guard current == UInt8(ascii: "\"") else { throw failure("expected a key in double quotes") }
      let start = position
      let key = try string()
      skipSpace()
      guard take(":") else { throw failure("expected ':' after the key \"\(key)\"") }
      guard object.updateValue(try value(depth: depth + 1), forKey: key) == nil else {
        position = start
        throw failure("the key \"\(key)\" appears twice")
      }
      skipSpace()
      if take("}") { return object }
      guard take(",") else { throw failure(current == nil ? "the text ends early" : "expected ',' or '}'") }
    }
  }

  private mutating func array(depth: Int) throws -> [Any] {
    position += 1
    var array: [Any] = []
    skipSpace()
    if take("]") { return array }
    while true {
      array.append(try value(depth: depth + 1))
      skipSpace()
      if take("]") { return array }
      guard take(",") else { throw failure(current == nil ? "the text ends early" : "expected ',' or ']'") }
    }
  }

  private mutating func string() throws -> String {
    position += 1
    var text: [UInt8] = []
    while let byte = current {
      switch byte {
      case UInt8(ascii: "\""):
        guard let string = String(validating: text, as: UTF8.self) else { throw failure("invalid UTF-8") }
        position += 1
        return string
      case UInt8(ascii: "\\"):
        position += 1
        try escape(into: &text)
      case 0..<0x20: throw failure("a control character inside a string")
      default:
        text.append(byte)
        position += 1
      }
    }
    throw failure("a string is not closed")
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    let simple: [UInt8: UInt8] = [
      UInt8(ascii: "\""): 0x22, UInt8(ascii: "\\"): 0x5C, UInt8(ascii: "/"): 0x2F, UInt8(ascii: "b"): 8,
      UInt8(ascii: "f"): 12, UInt8(ascii: "n"): 10, UInt8(ascii: "r"): 13, UInt8(ascii: "t"): 9,
    ]
    guard let byte = current else { throw failure("a string is not closed") }
    if let plain = simple[byte] {
      text.append(plain)
      position += 1
      return
    }
    guard byte == UInt8(ascii: "u") else { throw failure("an unknown escape") }
    let start = position - 1
    var code = try hexadecimal()
    if (0xD800..<0xDC00).contains(code), current == UInt8(ascii: "\\"), position + 1 < bytes.count,
      bytes[position + 1] == UInt8(ascii: "u")
    {
      let before = position
      position += 1
      let low = try hexadecimal()
      if (0xDC00..<0xE000).contains(low) {
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      } else {
        position = before
      }
    }
    guard let scalar = Unicode.Scalar(code) ?? (replacesSurrogates ? "\u{FFFD}" : nil) else {
      position = start
      throw failure("an unpaired surrogate")
    }
    text.append(contentsOf: Array(String(Character(scalar)).utf8))
  }

  /// Four hexadecimal digits after the `u` at the current position.
  private mutating func hexadecimal() throws -> UInt32 {
    let digits = bytes[min(position + 1, bytes.count)..<min(position + 5, bytes.count)]
    guard digits.count == 4, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let code = UInt32(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw failure("expected four hexadecimal digits after \\u") }
    position += 5
    return code
  }

  private mutating func literal() throws -> Any {
    let start = position
    while let byte = current, !",]} \t\r\n".utf8.contains(byte) { position += 1 }
    let word = String(decoding: bytes[start..<position], as: UTF8.self)
    switch word {
    case "true": return true
    case "false": return false
    case "null": return NSNull()
    default:
      let number = "^-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"
      guard word.range(of: number, options: .regularExpression) != nil, let value = Double(word), value.isFinite else {
        position = start
        let what = word.isEmpty ? current.map { String(UnicodeScalar($0)) } ?? "" : String(word.prefix(20))
        throw failure("unexpected \"\(what)\"")
      }
      return RecordNumber(text: word, value: value)
    }
  }
}

/// A number as it stands in the file: large identifiers would lose digits as floating point.
struct RecordNumber {
  /// Whole numbers up to here are exact as floating point, 2^53.
  static let exactLimit = 0x1p53

  /// As it was written.
  var text: String
  var value: Double

  /// Whether it was written with digits only, so that its text is the number itself.
  var isDigits: Bool { !text.contains { ".eE".contains($0) } }

  /// The whole number that it names, written out; nil for others, and where floating point has lost its last digits.
  var whole: String? {
    if isDigits { return text == "-0" ? "0" : text }
    guard value == value.rounded(), abs(value) <= Self.exactLimit else { return nil }
    return String(Int64(value))
  }

  /// The number written out: digits as they stand, others in their shortest form.
  var written: String { isDigits ? text : NSNumber(value: value).stringValue }
}
