extension Lexer {
  // MARK: - Numbers

  /// A number at the position, which is at a digit: the fraction first, as it is the longer one.
  mutating func readNumber() {
    if position == 0 || source[position - 1] != ".", let end = endOfFraction() {
      add(.double, Text(source[position..<end].filter { $0 != "_" }), through: end)
      return
    }
    let end = endOfInteger()
    add(.integer, Text(source[position..<end].filter { $0 != "_" }), through: end)
  }

  private func endOfFraction() -> Int? {
    guard let whole = endOfDigits(position) else { return nil }
    var end = whole
    var isFraction = false
    if scalar(whole) == ".", let fraction = endOfDigits(whole + 1) { (end, isFraction) = (fraction, true) }
    if let mark = scalar(end), mark == "e" || mark == "E" {
      var digits = end + 1
      if let sign = scalar(digits), sign == "+" || sign == "-" { digits += 1 }
      if let exponent = endOfDigits(digits) { (end, isFraction) = (exponent, true) }
    }
    return isFraction ? end : nil
  }

  private func scalar(_ index: Int) -> Unicode.Scalar? { index < source.count ? source[index] : nil }

  /// The end of digits with single underscores between them.
  private func endOfDigits(_ start: Int, _ isDigit: (Unicode.Scalar) -> Bool = { ("0"..."9").contains($0) }) -> Int? {
    var end = start
    while let digit = scalar(end) {
      if isDigit(digit) {
        end += 1
      } else if digit == "_", end > start, source[end - 1] != "_", let next = scalar(end + 1), isDigit(next) {
        end += 1
      } else {
        break
      }
    }
    return end > start ? end : nil
  }

  private func endOfInteger() -> Int {
    guard source[position] == "0" else { return endOfDigits(position) ?? position + 1 }
    let radix: Int? =
      switch scalar(position + 1) {
      case "b", "B": 2
      case "o", "O": 8
      case "x", "X": 16
      default: nil
      }
    if let radix {
      let first = scalar(position + 2) == "_" ? position + 3 : position + 2
      let end = endOfDigits(first) { Integer(digits: [$0], radix: radix) != nil && $0.isASCII }
      if let end { return end }
    }
    return endOfDigits(position) { $0 == "0" } ?? position + 1
  }

  // MARK: - Texts

  mutating func readString(_ quote: Unicode.Scalar) throws {
    var end = position + 1
    while end < source.count, source[end] != quote { end += source[end] == "\\" ? 2 : 1 }
    guard end < source.count else {
      _ = lineNumber(at: position)
      throw unexpected
    }
    let text = try Self.unescaped(Array(source[(position + 1)..<end]), line: lineNumber(at: position))
    add(.string, Text(text), through: end + 1)
  }

  /// Escapes as in Python, on a text in which all but ASCII is escaped before, as Jinja does.
  private static func unescaped(_ scalars: [Unicode.Scalar], line: Int) throws -> [Unicode.Scalar] {
    guard scalars.contains("\\") else { return scalars }
    let source = scalars.flatMap { $0.isASCII ? [$0] : Text.escape($0) }
    var result: [Unicode.Scalar] = []
    var index = 0
    while index < source.count {
      let scalar = source[index]
      index += 1
      guard scalar == "\\" else {
        result.append(scalar)
        continue
      }
      guard index < source.count else { throw TemplateError(.syntax, "\\ at end of string", line: line) }
      let letter = source[index]
      index += 1
      switch letter {
      case "\n": break
      case "\\", "'", "\"": result.append(letter)
      case "x", "u", "U":
        let width = letter == "x" ? 2 : letter == "u" ? 4 : 8
        result.append(try hexadecimal(source, index, width, letter, line: line))
        index += width
      case "0"..."7":
        var end = index
        while end < min(index + 2, source.count), ("0"..."7").contains(source[end]) { end += 1 }
        let value = Integer(digits: source[(index - 1)..<end], radix: 8)?.int ?? 0
        // Three octal digits are below 512.
        result.append(Unicode.Scalar(UInt16(value)) ?? " ")
        index = end
      case "N":
        throw TemplateError(.unsupported, "characters by name (\\N) are not supported", line: line)
      default:
        if let plain = plainEscapes[letter] { result.append(plain) } else { result += ["\\", letter] }
      }
    }
    return result
  }

  private static let plainEscapes: [Unicode.Scalar: Unicode.Scalar] = [
    "a": "\u{7}", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r", "t": "\t", "v": "\u{B}",
  ]

  private static func hexadecimal(
    _ source: [Unicode.Scalar], _ start: Int, _ width: Int, _ letter: Unicode.Scalar, line: Int
  ) throws -> Unicode.Scalar {
    guard start + width <= source.count,
      let value = Integer(digits: source[start..<(start + width)], radix: 16)?.int
    else {
      let form = String(repeating: "X", count: width)
      throw TemplateError(.syntax, "truncated \\\(letter)\(form) escape", line: line)
    }
    guard let scalar = UInt32(exactly: value).flatMap(Unicode.Scalar.init) else {
      throw TemplateError(
        value < 0x10000 ? .unsupported : .syntax, "\\\(letter) is not a character: surrogates are not supported",
        line: line)
    }
    return scalar
  }
}
