import Foundation

/// A strict JSON reader (RFC 8259) for untrusted bytes.
///
/// Refused, with the byte offset: anything after the value, names given twice, numbers that are not finite as doubles,
/// unpaired surrogates, invalid UTF-8, control characters in strings, and everything beyond the limits.
struct JSONParser {
  private let bytes: [UInt8]
  private let limits: WireLimits
  private var position = 0
  private var depth = 0
  private var valuesLeft: Int

  init(bytes: [UInt8], limits: WireLimits) {
    self.bytes = bytes
    self.limits = limits
    valuesLeft = limits.values(forBytes: bytes.count)
  }

  mutating func parse() throws(WireError) -> JSONValue {
    let value = try parseValue()
    skipSpace()
    guard position == bytes.count else { throw error(.notJSON, "something follows the value") }
    return value
  }

  private func error(_ code: WireError.Code, _ message: String) -> WireError {
    WireError(code, message, at: "byte \(position)")
  }

  private mutating func skipSpace() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0A, 0x0D: position += 1
      default: return
      }
    }
  }

  private func peek() -> UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func expect(_ byte: UInt8) throws(WireError) {
    guard peek() == byte else {
      throw error(.notJSON, "expected '\(Character(UnicodeScalar(byte)))'")
    }
    position += 1
  }

  private mutating func parseValue() throws(WireError) -> JSONValue {
    guard valuesLeft > 0 else { throw error(.tooMany, "too many values for a frame of \(bytes.count) bytes") }
    valuesLeft -= 1
    skipSpace()
    guard let byte = peek() else { throw error(.notJSON, "the text ends where a value is expected") }
    switch byte {
    case UInt8(ascii: "{"): return try nested { parser throws(WireError) in try parser.parseObject() }
    case UInt8(ascii: "["): return try nested { parser throws(WireError) in try parser.parseArray() }
    case UInt8(ascii: "\""): return .string(try parseString(limit: limits.stringBytes))
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try parseNumber()
    }
  }

  private mutating func nested(
    _ body: (inout JSONParser) throws(WireError) -> JSONValue
  ) throws(WireError) -> JSONValue {
    guard depth < limits.depth else { throw error(.tooDeep, "nested deeper than \(limits.depth)") }
    depth += 1
    position += 1
    let value = try body(&self)
    depth -= 1
    return value
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(WireError) -> JSONValue {
    let length = text.utf8CodeUnitCount
    guard position + length <= bytes.count else { throw error(.notJSON, "unknown literal") }
    for index in 0..<length where bytes[position + index] != text.utf8Start[index] {
      throw error(.notJSON, "unknown literal")
    }
    position += length
    return value
  }

  private mutating func parseArray() throws(WireError) -> JSONValue {
    var elements: [JSONValue] = []
    skipSpace()
    if peek() == UInt8(ascii: "]") {
      position += 1
      return .array(elements)
    }
    while true {
      guard elements.count < limits.elements else { throw error(.tooMany, "more than \(limits.elements) elements") }
      elements.append(try parseValue())
      skipSpace()
      if peek() == UInt8(ascii: "]") {
        position += 1
        return .array(elements)
      }
      try expect(UInt8(ascii: ","))
    }
  }

  private mutating func parseObject() throws(WireError) -> JSONValue {
    var fields: [String: JSONValue] = [:]
    skipSpace()
    if peek() == UInt8(ascii: "}") {
      position += 1
      return .object(fields)
    }
    while true {
      guard fields.count < limits.elements else { throw error(.tooMany, "more than \(limits.elements) fields") }
      skipSpace()
      let name = try parseString(limit: limits.nameBytes)
      skipSpace()
      try expect(UInt8(ascii: ":"))
      let value = try parseValue()
      guard fields.updateValue(value, forKey: name) == nil else { throw error(.notJSON, "a field stands twice") }
      skipSpace()
      if peek() == UInt8(ascii: "}") {
        position += 1
        return .object(fields)
      }
      try expect(UInt8(ascii: ","))
    }
  }
}

extension JSONParser {
  private mutating func digits() -> Int {
    let start = position
    while let byte = peek(), byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
    return position - start
  }

  private mutating func parseNumber() throws(WireError) -> JSONValue {
    let start = position
    if peek() == UInt8(ascii: "-") { position += 1 }
    let leadingZero = peek() == UInt8(ascii: "0")
    let count = digits()
    guard count > 0, !(leadingZero && count > 1) else { throw error(.notJSON, "not a value") }
    var isInteger = true
    if peek() == UInt8(ascii: ".") {
      isInteger = false
      position += 1
      guard digits() > 0 else { throw error(.notJSON, "no digit after the decimal point") }
    }
    if let byte = peek(), byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E") {
      isInteger = false
      position += 1
      if let sign = peek(), sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      guard digits() > 0 else { throw error(.notJSON, "no digit in the exponent") }
    }
    guard position - start <= 64 else { throw error(.tooMany, "a number of more than 64 characters") }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isInteger, let integer = Int64(text) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else {
      throw error(.outOfRange, "the number is not finite as a double; send null instead")
    }
    return .number(number)
  }

  private mutating func parseString(limit: Int) throws(WireError) -> String {
    try expect(UInt8(ascii: "\""))
    let start = position
    // First pass: find the end without copying; most strings have no escapes.
    while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") {
      guard byte >= 0x20 else { throw error(.notJSON, "a control character in a string") }
      guard position - start < limit else { throw error(.tooMany, "a string of more than \(limit) bytes") }
      position += 1
    }
    var buffer = Array(bytes[start..<position])
    while true {
      guard let byte = peek() else { throw error(.notJSON, "a string without an end") }
      guard buffer.count <= limit else { throw error(.tooMany, "a string of more than \(limit) bytes") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: buffer, as: UTF8.self) else {
          throw error(.notJSON, "a string that is not UTF-8")
        }
        return text
      case UInt8(ascii: "\\"): try parseEscape(into: &buffer)
      case 0..<0x20: throw error(.notJSON, "a control character in a string")
      default: buffer.append(byte)
      }
    }
  }

  private mutating func parseEscape(into buffer: inout [UInt8]) throws(WireError) {
    guard let byte = peek() else { throw error(.notJSON, "a string without an end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
    case UInt8(ascii: "b"): buffer.append(0x08)
    case UInt8(ascii: "f"): buffer.append(0x0C)
    case UInt8(ascii: "n"): buffer.append(0x0A)
    case UInt8(ascii: "r"): buffer.append(0x0D)
    case UInt8(ascii: "t"): buffer.append(0x09)
    case UInt8(ascii: "u"): try parseUnicode(into: &buffer)
    default: throw error(.notJSON, "an unknown escape")
    }
  }

  private mutating func parseUnicode(into buffer: inout [UInt8]) throws(WireError) {
    let first = try hexQuad()
    var code = first
    if (0xD800..<0xDC00).contains(first) {
      try expect(UInt8(ascii: "\\"))
      try expect(UInt8(ascii: "u"))
      let second = try hexQuad()
      guard (0xDC00..<0xE000).contains(second) else { throw error(.notJSON, "an unpaired surrogate") }
      code = 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00)
    }
    guard let scalar = UnicodeScalar(code) else { throw error(.notJSON, "an unpaired surrogate") }
    buffer.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
  }

  private mutating func hexQuad() throws(WireError) -> UInt32 {
    guard position + 4 <= bytes.count else { throw error(.notJSON, "a string without an end") }
    var value: UInt32 = 0
    for byte in bytes[position..<position + 4] {
      guard let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
        throw error(.notJSON, "\\u without four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
    }
    position += 4
    return value
  }
}
