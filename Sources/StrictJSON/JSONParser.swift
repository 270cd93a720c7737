import Foundation

/// A strict JSON reader (RFC 8259): no duplicate keys, no invalid UTF-8, bounded depth, nothing after the value.
///
/// Memory grows with the text, never with numbers found in it.
package struct JSONParser {
  /// Nesting beyond this is refused.
  package static let maximumDepth = 64

  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0

  private init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// The value that `bytes` hold; white space around it is allowed.
  ///
  /// - Throws: ``JSONError``.
  package static func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws -> JSONValue {
    var parser = JSONParser(bytes)
    // Files written on Windows may start with a byte order mark.
    if bytes.count >= 3, bytes[0] == 0xEF, bytes[1] == 0xBB, bytes[2] == 0xBF { parser.position = 3 }
    parser.skipSpace()
    let value = try parser.value(depth: 0)
    parser.skipSpace()
    guard parser.position == bytes.count else { throw parser.error("unexpected text after the JSON value") }
    return value
  }

  /// The value that `data` holds.
  ///
  /// - Throws: ``JSONError``.
  package static func parse(_ data: Data) throws -> JSONValue {
    try data.withUnsafeBytes { try parse($0.bindMemory(to: UInt8.self)) }
  }

  /// What is wrong at `place`, by default where the reader stands; line and column count from 1, columns in bytes.
  private func error(_ message: String, at place: Int? = nil) -> JSONError {
    let before = bytes[..<min(place ?? position, bytes.count)]
    let lines = before.reduce(1) { $1 == 0x0A ? $0 + 1 : $0 }
    let column = before.count - (before.lastIndex(of: 0x0A) ?? -1)
    let line = lines == 1 && !bytes.contains(0x0A) ? "" : "line \(lines), "
    return JSONError("JSON: \(message) at \(line)column \(column)")
  }

  /// Where the text that starts at `start` stops being UTF-8.
  private func invalidText(_ start: Int) -> JSONError {
    var end = start
    while end < position {
      let lead = bytes[end]
      let length = min(lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4, position - end)
      let part = UnsafeBufferPointer(rebasing: bytes[end..<(end + max(length, 1))])
      if String(validating: part, as: UTF8.self) == nil { break }
      end += length
    }
    return error("invalid UTF-8", at: end)
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private mutating func value(depth: Int) throws -> JSONValue {
    guard depth < Self.maximumDepth else { throw error("nesting deeper than \(Self.maximumDepth)") }
    guard position < bytes.count else { throw error("unexpected end") }
    switch bytes[position] {
    case UInt8(ascii: "{"): return .object(try object(depth: depth))
    case UInt8(ascii: "["): return .array(try array(depth: depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
    let count = text.utf8CodeUnitCount
    guard bytes.count - position >= count,
      UnsafeBufferPointer(rebasing: bytes[position..<(position + count)])
        .elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: count))
    else {
      throw error("unknown literal")
    }
    position += count
    return value
  }

  private mutating func array(depth: Int) throws -> [JSONValue] {
    position += 1
    var items: [JSONValue] = []
    skipSpace()
    if position < bytes.count, bytes[position] == UInt8(ascii: "]") {
      position += 1
      return items
    }
    while true {
      skipSpace()
      items.append(try value(depth: depth + 1))
      if try closes(UInt8(ascii: "]")) { return items }
    }
  }

  private mutating func object(depth: Int) throws -> JSONObject {
    position += 1
    var object = JSONObject()
    var seen: Set<[UInt8]> = []
    skipSpace()
    if position < bytes.count, bytes[position] == UInt8(ascii: "}") {
      position += 1
      return object
    }
    while true {
      skipSpace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: "\"") else { throw error("expected a key") }
      let start = position
      let key = try string()
      guard seen.insert(Array(key.utf8)).inserted else { throw error("duplicate key '\(key)'", at: start) }
      skipSpace()
      guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { throw error("expected ':'") }
      position += 1
      skipSpace()
      object.append(key, try value(depth: depth + 1))
      if try closes(UInt8(ascii: "}")) { return object }
    }
  }

  /// Consumes a comma (false) or the closing bracket (true).
  private mutating func closes(_ bracket: UInt8) throws -> Bool {
    skipSpace()
    guard position < bytes.count else { throw error("unexpected end") }
    let byte = bytes[position]
    guard byte == bracket || byte == UInt8(ascii: ",") else { throw error("expected ',' or a closing bracket") }
    position += 1
    return byte == bracket
  }

  private mutating func number() throws -> JSONValue {
    let start = position
    if bytes[position] == UInt8(ascii: "-") { position += 1 }
    let digits = position
    skipDigits()
    guard position > digits else { throw error(notANumber(start) ?? "expected a value", at: start) }
    if bytes[digits] == UInt8(ascii: "0"), position - digits > 1 { throw error("a number with leading zeros") }
    var integral = true
    if position < bytes.count, bytes[position] == UInt8(ascii: ".") {
      integral = false
      position += 1
      let fraction = position
      skipDigits()
      guard position > fraction else { throw error("a number without digits after its point") }
    }
    if position < bytes.count, bytes[position] | 0x20 == UInt8(ascii: "e") {
      integral = false
      position += 1
      if position < bytes.count, bytes[position] == UInt8(ascii: "+") || bytes[position] == UInt8(ascii: "-") {
        position += 1
      }
      let exponent = position
      skipDigits()
      guard position > exponent else { throw error("a number without digits in its exponent") }
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if integral, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw error("a number out of range", at: start) }
    return .number(value)
  }

  /// What Python writes for numbers that are none.
  private func notANumber(_ start: Int) -> String? {
    let rest = String(decoding: bytes[start..<min(start + 10, bytes.count)], as: UTF8.self)
    return ["NaN", "Infinity", "-Infinity"].first(where: rest.hasPrefix).map { "\($0) is no number in JSON" }
  }

  private mutating func skipDigits() {
    while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
  }

  private mutating func string() throws -> String {
    position += 1
    let start = position
    while position < bytes.count, bytes[position] != UInt8(ascii: "\""), bytes[position] != UInt8(ascii: "\\") {
      guard bytes[position] >= 0x20 else { throw error("a control character inside a string") }
      position += 1
    }
    guard position < bytes.count else { throw error("a string without end") }
    if bytes[position] == UInt8(ascii: "\"") {
      let slice = UnsafeBufferPointer(rebasing: bytes[start..<position])
      guard let text = String(validating: slice, as: UTF8.self) else { throw invalidText(start) }
      position += 1
      return text
    }
    var buffer = Array(bytes[start..<position])
    while true {
      guard position < bytes.count else { throw error("a string without end") }
      let byte = bytes[position]
      if byte == UInt8(ascii: "\"") { break }
      guard byte >= 0x20 else { throw error("a control character inside a string") }
      position += 1
      if byte == UInt8(ascii: "\\") { try escape(into: &buffer) } else { buffer.append(byte) }
    }
    guard let text = String(validating: buffer, as: UTF8.self) else { throw invalidText(start) }
    position += 1
    return text
  }

  private mutating func escape(into buffer: inout [UInt8]) throws {
    guard position < bytes.count else { throw error("a string without end") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
    case UInt8(ascii: "b"): buffer.append(0x08)
    case UInt8(ascii: "f"): buffer.append(0x0C)
    case UInt8(ascii: "n"): buffer.append(0x0A)
    case UInt8(ascii: "r"): buffer.append(0x0D)
    case UInt8(ascii: "t"): buffer.append(0x09)
    case UInt8(ascii: "u"):
      let start = position - 2
      var code = try hexadecimal()
      if (0xD800..<0xDC00).contains(code), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
        bytes[position + 1] == UInt8(ascii: "u")
      {
        position += 2
        let low = try hexadecimal()
        guard (0xDC00..<0xE000).contains(low) else { throw error("an unpaired surrogate", at: start) }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw error("an unpaired surrogate", at: start) }
      buffer.append(contentsOf: UTF8.encode(scalar) ?? .init())
    default: throw error("an unknown escape")
    }
  }

  private mutating func hexadecimal() throws -> UInt32 {
    guard bytes.count - position >= 4 else { throw error("an incomplete \\u escape") }
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let digit = hexadecimalDigit(bytes[position]) else { throw error("a bad \\u escape") }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}

/// The value of a hexadecimal digit, or nil.
package func hexadecimalDigit(_ byte: UInt8) -> UInt8? {
  switch byte {
  case 0x30...0x39: byte - 0x30
  case 0x41...0x46: byte - 0x41 + 10
  case 0x61...0x66: byte - 0x61 + 10
  default: nil
  }
}
