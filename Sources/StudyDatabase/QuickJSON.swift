import Foundation

/// A small reader for the JSON that this module writes itself, about ten times as fast as `JSONDecoder`.
///
/// It gives nil for everything it does not expect (escapes, null, deep nesting); the caller then takes the slow and
/// strict way. Opening a study of 100,000 trials reads 300,000 such texts.
struct QuickJSON {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var position = 0

  /// The value of a whole text, or nil.
  static func parse(_ text: String) -> QuickJSONValue? {
    var text = text
    return text.withUTF8 { bytes in
      var reader = QuickJSON(bytes: bytes)
      guard let value = reader.readValue(depth: 0), reader.position == bytes.count else { return nil }
      return value
    }
  }

  private init(bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard position < bytes.count, bytes[position] == byte else { return false }
    position += 1
    return true
  }

  private mutating func readValue(depth: Int) -> QuickJSONValue? {
    guard position < bytes.count, depth < 8 else { return nil }
    switch bytes[position] {
    case UInt8(ascii: "{"): return object(depth: depth)
    case UInt8(ascii: "["): return array(depth: depth)
    case UInt8(ascii: "\""): return string().map { .text($0) }
    case UInt8(ascii: "t"): return word("true", .flag(true))
    case UInt8(ascii: "f"): return word("false", .flag(false))
    default: return number()
    }
  }

  private mutating func object(depth: Int) -> QuickJSONValue? {
    position += 1
    var entries: [QuickJSONEntry] = []
    if take(UInt8(ascii: "}")) { return .object(entries) }
    repeat {
      guard let key = string(), take(UInt8(ascii: ":")), let value = readValue(depth: depth + 1) else { return nil }
      entries.append(QuickJSONEntry(key: key, value: value))
    } while take(UInt8(ascii: ","))
    return take(UInt8(ascii: "}")) ? .object(entries) : nil
  }

  private mutating func array(depth: Int) -> QuickJSONValue? {
    position += 1
    var elements: [QuickJSONValue] = []
    if take(UInt8(ascii: "]")) { return .array(elements) }
    repeat {
      guard let value = readValue(depth: depth + 1) else { return nil }
      elements.append(value)
    } while take(UInt8(ascii: ","))
    return take(UInt8(ascii: "]")) ? .array(elements) : nil
  }

  private mutating func string() -> String? {
    guard take(UInt8(ascii: "\"")) else { return nil }
    let start = position
    while position < bytes.count, bytes[position] != UInt8(ascii: "\"") {
      if bytes[position] == UInt8(ascii: "\\") { return nil }
      position += 1
    }
    guard position < bytes.count else { return nil }
    defer { position += 1 }
    return String(decoding: bytes[start..<position], as: UTF8.self)
  }

  private mutating func word(_ word: StaticString, _ value: QuickJSONValue) -> QuickJSONValue? {
    let length = word.utf8CodeUnitCount
    guard position + length <= bytes.count else { return nil }
    for index in 0..<length where bytes[position + index] != word.utf8Start[index] { return nil }
    position += length
    return value
  }

  private mutating func number() -> QuickJSONValue? {
    let start = position
    var isWhole = true
    while position < bytes.count {
      let byte = bytes[position]
      let isDigit = byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
      if !isDigit && byte != UInt8(ascii: "-") {
        guard
          byte == UInt8(ascii: ".") || byte == UInt8(ascii: "e") || byte == UInt8(ascii: "E")
            || byte == UInt8(ascii: "+")
        else { break }
        isWhole = false
      }
      position += 1
    }
    guard position > start else { return nil }
    if isWhole, let integer = smallInteger(start..<position) { return .integer(integer) }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if isWhole, text != "-0", let integer = Int(text) { return .integer(integer) }
    // Swift's conversion is exact, as the encoder's shortest form needs it.
    return Double(text).map { .number($0) }
  }
}

extension QuickJSON {
  /// A whole number of at most 18 digits, which is most of what is read; nil for all others, and for -0.
  private func smallInteger(_ range: Range<Int>) -> Int? {
    let isNegative = bytes[range.lowerBound] == UInt8(ascii: "-")
    let digits = isNegative ? range.dropFirst() : range
    guard (1...18).contains(digits.count) else { return nil }
    var value = 0
    for index in digits {
      let digit = bytes[index] &- UInt8(ascii: "0")
      guard digit < 10 else { return nil }
      value = value * 10 + Int(digit)
    }
    return isNegative ? (value == 0 ? nil : -value) : value
  }
}

/// A JSON value; arrays and objects hold theirs by reference, the others are values in place.
enum QuickJSONValue {
  case number(Double)
  case integer(Int)
  case flag(Bool)
  case text(String)
  case array([QuickJSONValue])
  case object([QuickJSONEntry])
}

/// One key of an object with its value.
struct QuickJSONEntry {
  var key: String
  var value: QuickJSONValue
}

extension QuickJSONValue {
  var double: Double? {
    switch self {
    case .number(let value): value
    case .integer(let value): Double(exactly: value)
    default: nil
    }
  }

  var integer: Int? { if case .integer(let value) = self { value } else { nil } }

  var flag: Bool? { if case .flag(let value) = self { value } else { nil } }

  var text: String? { if case .text(let value) = self { value } else { nil } }

  /// An array whose elements are all of one kind.
  func list<T>(_ element: (QuickJSONValue) -> T?) -> [T]? {
    guard case .array(let values) = self else { return nil }
    var result: [T] = []
    result.reserveCapacity(values.count)
    for value in values {
      guard let item = element(value) else { return nil }
      result.append(item)
    }
    return result
  }

  /// An object whose values are all numbers.
  var numbers: [String: Double]? {
    guard case .object(let entries) = self else { return nil }
    var result: [String: Double] = [:]
    result.reserveCapacity(entries.count)
    for entry in entries {
      guard let number = entry.value.double else { return nil }
      result[entry.key] = number
    }
    return result.count == entries.count ? result : nil
  }
}
