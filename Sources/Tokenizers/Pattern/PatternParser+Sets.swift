import Foundations

extension PatternParser {
  /// What follows a backslash outside brackets.
  mutating func escapeNode() throws -> PatternNode {
    switch current {
    case "b": return anchor(.wordBoundary)
    case "B": return anchor(.noWordBoundary)
    case "A": return anchor(.textStart)
    case "z": return anchor(.textEnd)
    case "Z": return anchor(.textEndOrLastNewline)
    default: return .set(try escapeSet())
    }
  }

  private mutating func anchor(_ kind: PatternNode.Anchor) -> PatternNode {
    position += 1
    return .anchor(kind)
  }

  /// The characters that an escape stands for.
  mutating func escapeSet() throws -> ScalarSet {
    guard let scalar = current else { throw refusal("a backslash at the end") }
    position += 1
    switch scalar {
    case "s": return .space
    case "S": return .complement(.space)
    case "d": return .category(1 << 8)
    case "D": return .complement(.category(1 << 8))
    case "w": return .word
    case "W": return .complement(.word)
    case "h": return Self.hexadecimal
    case "H": return .complement(Self.hexadecimal)
    case "p", "P": return try property(isComplement: scalar == "P")
    default:
      position -= 1
      return try literal(try escapedCharacter())
    }
  }

  private static let hexadecimal = ScalarSet.union([.range(0x30, 0x39), .range(0x41, 0x46), .range(0x61, 0x66)])

  private mutating func escapedCharacter() throws -> Unicode.Scalar {
    guard let scalar = current else { throw refusal("a backslash at the end") }
    position += 1
    switch scalar {
    case "t": return "\t"
    case "n": return "\n"
    case "r": return "\r"
    case "f": return "\u{0C}"
    case "v": return "\u{0B}"
    case "a": return "\u{07}"
    case "e": return "\u{1B}"
    case "x":
      if take("{") {
        let value = try hexadecimalNumber(1...8)
        guard take("}") else { throw refusal("an open \\x{") }
        return value
      }
      let value = try hexadecimalNumber(1...2)
      // Beyond ASCII this notation means a byte of the text's encoding.
      guard value.isASCII else { throw refusal("a byte written \\x") }
      return value
    case "u": return try hexadecimalNumber(4...4)
    default:
      guard scalar.isASCII, !scalar.properties.isAlphabetic, scalar.properties.numericType == nil else {
        throw refusal("'\\\(scalar)'")
      }
      return scalar
    }
  }

  private mutating func hexadecimalNumber(_ lengths: ClosedRange<Int>) throws -> Unicode.Scalar {
    var value: UInt32 = 0
    var count = 0
    while count < lengths.upperBound, let scalar = current, scalar.isASCII,
      let digit = hexadecimalDigit(UInt8(scalar.value))
    {
      value = value << 4 | UInt32(digit)
      position += 1
      count += 1
    }
    guard count >= lengths.lowerBound, let scalar = Unicode.Scalar(value) else { throw refusal("a bad number") }
    return scalar
  }

  /// `{L}`, `{^L}`, `{Lu}` and the names of the groups.
  private mutating func property(isComplement: Bool) throws -> ScalarSet {
    guard take("{") else { throw refusal("'\\p' without '{'") }
    let isNegated = take("^") != isComplement
    var name = ""
    while let scalar = current, scalar != "}" {
      if scalar != " ", scalar != "_", scalar != "-" { name.unicodeScalars.append(scalar) }
      position += 1
    }
    guard take("}") else { throw refusal("an open '\\p{'") }
    let set: ScalarSet
    switch name.lowercased() {
    case "letter": set = .category(UnicodeClasses.mask("l") ?? 0)
    case "mark": set = .category(UnicodeClasses.mask("m") ?? 0)
    case "number": set = .category(UnicodeClasses.mask("n") ?? 0)
    case "punctuation", "punct": set = .category(UnicodeClasses.mask("p") ?? 0)
    case "symbol": set = .category(UnicodeClasses.mask("s") ?? 0)
    case "separator": set = .category(UnicodeClasses.mask("z") ?? 0)
    case "uppercaseletter": set = .category(1)
    case "lowercaseletter": set = .category(2)
    case "space", "whitespace": set = .space
    case let short:
      guard let mask = UnicodeClasses.mask(short) else { throw refusal("the property '\(name)'") }
      set = .category(mask)
    }
    return isNegated ? .complement(set) : set
  }

  /// A set in brackets; the opening one is taken already.
  mutating func bracket(level: Int = 0) throws -> ScalarSet {
    guard level < 8 else { throw refusal("brackets nested deeper than 8") }
    let isNegated = take("^")
    var parts: [ScalarSet] = []
    var left: ScalarSet?
    var isFirst = true
    while true {
      guard let scalar = current else { throw refusal("an open '['") }
      if scalar == "]", !isFirst { break }
      if scalar == "]" { throw refusal("']' first in brackets; write \\]") }
      isFirst = false
      if take("&&") {
        left = left.map { .intersection($0, .union(parts)) } ?? .union(parts)
        parts = []
        continue
      }
      if take("[") {
        if current == ":" { throw refusal("a POSIX bracket") }
        parts.append(try bracket(level: level + 1))
        continue
      }
      parts.append(try bracketItem())
    }
    position += 1
    var set = ScalarSet.union(parts)
    if let left { set = .intersection(left, set) }
    if foldsCase {
      guard set.isPlainASCII else { throw refusal("case folding of a set beyond ASCII") }
      set = Self.folded(set)
    }
    return isNegated ? .complement(set) : set
  }

  private mutating func bracketItem() throws -> ScalarSet {
    guard let low = try bracketCharacter() else { return try escapeSet() }
    guard current == "-", position + 1 < scalars.count, scalars[position + 1] != "]" else {
      return .range(low.value, low.value)
    }
    position += 1
    guard current != "[", let high = try bracketCharacter() else { throw refusal("a range that ends in a set") }
    guard low.value <= high.value else { throw refusal("a range that ends below its start") }
    return .range(low.value, high.value)
  }

  /// One character inside brackets; nil (and nothing but the backslash taken) where an escape stands for a set.
  private mutating func bracketCharacter() throws -> Unicode.Scalar? {
    guard let scalar = current else { throw refusal("an open '['") }
    position += 1
    guard scalar == "\\" else { return scalar }
    switch current {
    case "s", "S", "d", "D", "w", "W", "h", "H", "p", "P": return nil
    case "b":
      position += 1
      return "\u{08}"
    default: return try escapedCharacter()
    }
  }
}
