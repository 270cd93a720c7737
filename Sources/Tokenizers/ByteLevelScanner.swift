/// GPT-2's pre-tokenizer pattern as a hand-written scanner:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
enum ByteLevelScanner {
  enum Class: UInt8 {
    case letter
    case number
    case space
    case other
  }

  /// The end of the word that starts at `start` in valid UTF-8.
  static func wordEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    classes.withUnsafeBufferPointer {
      guard let classes = $0.baseAddress else { return bytes.count }
      return wordEnd(bytes, start, classes)
    }
  }

  /// The same with the table `classes`, for callers that go through many words.
  @inline(__always)
  static func wordEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ classes: UnsafePointer<UInt8>) -> Int {
    let lead = bytes[start]
    if lead == UInt8(ascii: "'"), let end = contractionEnd(bytes, start) { return end }
    var (kind, length) = classify(bytes, start, classes)
    var position = start
    if lead == 0x20, start + 1 < bytes.count {
      // An optional single space belongs to the word after it, unless more space follows.
      let (next, nextLength) = classify(bytes, start + 1, classes)
      if next != Class.space.rawValue {
        (kind, length, position) = (next, nextLength, start + 1)
      }
    }
    var end = position + length
    var last = position
    while end < bytes.count {
      let (next, nextLength) = classify(bytes, end, classes)
      if next != kind { break }
      last = end
      end += nextLength
    }
    // `\s+(?!\S)`: space in front of a word leaves its last character to that word.
    if kind == Class.space.rawValue, end < bytes.count, last > start { return last }
    return end
  }

  /// The end of `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll` or `'d` at `start`, or nil.
  private static func contractionEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int? {
    guard start + 1 < bytes.count else { return nil }
    switch bytes[start + 1] {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"): return start + 2
    case UInt8(ascii: "r"), UInt8(ascii: "v"):
      return start + 2 < bytes.count && bytes[start + 2] == UInt8(ascii: "e") ? start + 3 : nil
    case UInt8(ascii: "l"):
      return start + 2 < bytes.count && bytes[start + 2] == UInt8(ascii: "l") ? start + 3 : nil
    default: return nil
    }
  }

  /// Class and byte length of the character at `index`.
  @inline(__always)
  private static func classify(
    _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ classes: UnsafePointer<UInt8>
  ) -> (UInt8, Int) {
    let lead = bytes[index]
    if lead < 0x80 { return (classes[Int(lead)], 1) }
    return classifyWide(bytes, index, classes)
  }

  @inline(never)
  private static func classifyWide(
    _ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ classes: UnsafePointer<UInt8>
  ) -> (UInt8, Int) {
    let length = min(utf8Length(bytes[index]), bytes.count - index)
    let scalar = decodeScalar(bytes, index, length)
    return (scalar.value < 0x10000 ? classes[Int(scalar.value)] : classify(scalar).rawValue, length)
  }

  /// Raw values of the classes of the 65,536 characters of the basic plane (surrogates, which text cannot hold: other).
  static let classes: [UInt8] = (0..<0x10000).map { classify(Unicode.Scalar($0) ?? "\u{FFFD}").rawValue }

  /// The class by Unicode general category and White_Space.
  static func classify(_ scalar: Unicode.Scalar) -> Class {
    switch scalar.value {
    case 0x09...0x0D, 0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: return .space
    default: break
    }
    let properties = scalar.properties
    let kind: Class
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: kind = .letter
    case .decimalNumber, .letterNumber, .otherNumber: kind = .number
    default: return .other
    }
    // The reference (tokenizers 0.23) knows Unicode 16; to it, what came later is unassigned.
    // (Latin to Hebrew, kana and Chinese got no letters or numbers since; looking up the age costs time.)
    switch scalar.value {
    case 0..<0x600, 0x3041...0x9FFF: return kind
    default: return (properties.age?.major ?? .max) <= 16 ? kind : .other
    }
  }
}

/// The scalar of a UTF-8 sequence of `length` bytes.
func decodeScalar(_ bytes: UnsafeBufferPointer<UInt8>, _ index: Int, _ length: Int) -> Unicode.Scalar {
  var value: UInt32
  switch length {
  case 1: value = UInt32(bytes[index])
  case 2: value = UInt32(bytes[index] & 0x1F)
  case 3: value = UInt32(bytes[index] & 0x0F)
  default: value = UInt32(bytes[index] & 0x07)
  }
  for offset in 1..<max(length, 1) { value = value << 6 | UInt32(bytes[index + offset] & 0x3F) }
  return Unicode.Scalar(value) ?? "\u{FFFD}"
}
