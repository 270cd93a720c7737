import Foundations

/// Numbers, other words, and strings.
extension JSONParser {
  /// Skips digits and gives their number; the value that they have is good for up to 18 of them.
  private mutating func digits() -> (count: Int, value: Int) {
    var (end, value) = (position, 0)
    while end < bytes.count {
      let digit = bytes[end] &- UInt8(ascii: "0")
      guard digit < 10 else { break }
      value = value &* 10 &+ Int(digit)
      end += 1
    }
    defer { position = end }
    return (end - position, value)
  }

  mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    let isNegative = take(UInt8(ascii: "-"))
    let leadingZero = current == UInt8(ascii: "0")
    let whole = digits()
    guard whole.count > 0, !(leadingZero && whole.count > 1) else { return try otherWord(at: start) }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      guard digits().count > 0 else { return try otherWord(at: start) }
    }
    if let byte = current, byte | 0x20 == UInt8(ascii: "e") {
      isInteger = false
      position += 1
      if let sign = current, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") { position += 1 }
      guard digits().count > 0 else { return try otherWord(at: start) }
    }
    guard position - start <= rules.numberBytes else {
      throw error(.tooMany("characters of a number", limit: rules.numberBytes), at: start)
    }
    // Integers have no negative zero: that one is a floating-point number.
    let isNegativeZero = isNegative && leadingZero
    if isInteger, whole.count <= 18, !isNegativeZero, !rules.keepsNumberText {
      return .integer(isNegative ? -whole.value : whole.value)
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    guard let value = Double(text), value.isFinite else {
      if rules.readsNotFinite { return .null }
      throw error(.numberOutOfRange(text), at: start)
    }
    if rules.keepsNumberText { return .numberText(text) }
    if isInteger, !isNegativeZero, let integer = Int(text) { return .integer(integer) }
    return .number(value)
  }

  /// What begins at `start` and is no value of JSON.
  mutating func otherWord(at start: Int) throws(JSONError) -> JSONValue {
    position = start
    let word = String(
      decoding: bytes[start...].prefix(20).prefix { !",]}: \t\r\n".utf8.contains($0) }, as: UTF8.self)
    guard !word.isEmpty else { throw error(.unexpected(String(decoding: bytes[start...].prefix(1), as: UTF8.self))) }
    guard JSONRules.isNotFinite(word) else { throw error(.unexpected(word)) }
    guard rules.readsNotFinite else { throw error(.notANumber(word)) }
    position += word.utf8.count
    return .null
  }

  mutating func string(limit: Int) throws(JSONError) -> String {
    position += 1
    let start = position
    // Most strings have no escapes: their end is found first, without copying.
    var (end, union) = (start, UInt8(0))
    while end < bytes.count {
      let byte = bytes[end]
      if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") || byte < 0x20 { break }
      union |= byte
      end += 1
    }
    guard end - start <= limit else { throw error(.tooMany("bytes of a string", limit: limit), at: start + limit) }
    position = end
    let plain = UnsafeBufferPointer(rebasing: bytes[start..<end])
    if take(UInt8(ascii: "\"")) {
      // ASCII is UTF-8.
      if union < 0x80 { return String(decoding: plain, as: UTF8.self) }
      guard let text = String(validating: plain, as: UTF8.self) else { throw invalidText(start) }
      return text
    }
    var buffer = Array(plain)
    while let byte = current {
      guard buffer.count <= limit else { throw error(.tooMany("bytes of a string", limit: limit)) }
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: buffer, as: UTF8.self) else { throw invalidText(start) }
        position += 1
        return text
      case UInt8(ascii: "\\"): try escape(into: &buffer)
      case 0..<0x20: throw error(.controlCharacter)
      default:
        buffer.append(byte)
        position += 1
      }
    }
    throw error(.unclosedString)
  }

  /// The error at the first byte from `start` on that is not UTF-8.
  private func invalidText(_ start: Int) -> JSONError {
    var decoder = Unicode.UTF8.ForwardParser()
    var rest = bytes[start...].makeIterator()
    var place = start
    while case .valid(let scalar) = decoder.parseScalar(from: &rest) { place += scalar.count }
    return error(.invalidUTF8, at: place)
  }

  private mutating func escape(into buffer: inout [UInt8]) throws(JSONError) {
    let start = position
    position += 1
    guard let byte = current else { throw error(.unclosedString) }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
    case UInt8(ascii: "b"): buffer.append(0x08)
    case UInt8(ascii: "f"): buffer.append(0x0C)
    case UInt8(ascii: "n"): buffer.append(0x0A)
    case UInt8(ascii: "r"): buffer.append(0x0D)
    case UInt8(ascii: "t"): buffer.append(0x09)
    case UInt8(ascii: "u"):
      guard let scalar = Unicode.Scalar(try unicode()) ?? (rules.replacesSurrogates ? "\u{FFFD}" : nil) else {
        throw error(.unpairedSurrogate, at: start)
      }
      buffer.append(contentsOf: String(scalar).utf8)
    default: throw error(.unknownEscape, at: start)
    }
  }

  /// The code after `\u`, of both halves where the other one follows.
  private mutating func unicode() throws(JSONError) -> UInt32 {
    let first = try hexadecimal()
    guard (0xD800..<0xDC00).contains(first), position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
      bytes[position + 1] == UInt8(ascii: "u")
    else { return first }
    let between = position
    position += 2
    let second = try hexadecimal()
    if (0xDC00..<0xE000).contains(second) { return 0x10000 + (first - 0xD800) << 10 + (second - 0xDC00) }
    position = between
    return first
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = current, let digit = hexadecimalDigit(byte) else { throw error(.badHexadecimal) }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}

extension JSONRules {
  /// Whether a word stands for a number that is not finite, as programs write it: NaN, -inf, Infinity.
  package static func isNotFinite(_ word: String) -> Bool {
    let text = word.lowercased()
    let bare = text.first == "-" || text.first == "+" ? String(text.dropFirst()) : text
    return ["nan", "inf", "infinity"].contains(bare)
  }
}
