extension Interpreter {
  /// `format % values`.
  func percentFormat(_ format: Text, _ values: Value) throws -> Text {
    var reader = PercentReader(format.scalars, values)
    var result: [Unicode.Scalar] = []
    while let piece = try reader.next(self) {
      result += piece
      guard result.count <= limits.size else { throw tooLarge }
    }
    try reader.finish()
    return try checked(Text(result, isMarkup: format.isMarkup))
  }
}

private struct PercentReader {
  private let format: [Unicode.Scalar]
  private var index = 0
  private let mapping: Value?
  private var values: ArraySlice<Value>
  private let isTuple: Bool
  private var usesNames = false

  init(_ format: [Unicode.Scalar], _ values: Value) {
    self.format = format
    if case .tuple(let tuple) = values {
      (self.values, isTuple, mapping) = (tuple.items[...], true, nil)
    } else {
      (self.values, isTuple) = ([values], false)
      switch values {
      // What has items by key or place may be left unused.
      case .mapping, .list, .range, .undefined: mapping = values
      default: mapping = nil
      }
    }
  }

  func finish() throws {
    if !values.isEmpty, mapping == nil || isTuple {
      throw TemplateError(.type, "not all arguments converted during string formatting")
    }
  }

  mutating func next(_ interpreter: Interpreter) throws -> [Unicode.Scalar]? {
    guard index < format.count else { return nil }
    if format[index] != "%" {
      let start = index
      while index < format.count, format[index] != "%" { index += 1 }
      return Array(format[start..<index])
    }
    index += 1
    return try conversion(interpreter)
  }

  private func peek() throws -> Unicode.Scalar {
    guard index < format.count else { throw TemplateError(.value, "incomplete format") }
    return format[index]
  }

  private mutating func conversion(_ interpreter: Interpreter) throws -> [Unicode.Scalar] {
    var named: Value?
    if try peek() == "(" { named = try readName() }
    var specification = FormatSpecification()
    var flags: Set<Unicode.Scalar> = []
    while ["-", "+", " ", "#", "0"].contains(try peek()) {
      flags.insert(format[index])
      index += 1
    }
    specification.width = try number(named) ?? 0
    if specification.width < 0 {
      flags.insert("-")
      specification.width = -specification.width
    }
    if try peek() == "." {
      index += 1
      specification.precision = max(0, try number(named) ?? 0)
    }
    while ["l", "h", "L"].contains(try peek()) { index += 1 }
    let type = try peek()
    index += 1
    if type == "%" { return ["%"] }
    specification.sign = flags.contains("+") ? "+" : flags.contains(" ") ? " " : "-"
    specification.isAlternate = flags.contains("#")
    specification.align = flags.contains("-") ? "<" : ">"
    let value = try named ?? take()
    switch type {
    case "s", "r", "a": return try text(interpreter, value, type, specification)
    case "c": return specification.padded(try character(value), standard: ">").scalars
    case "d", "i", "u", "o", "x", "X", "e", "E", "f", "F", "g", "G":
      if flags.contains("0"), !flags.contains("-") { (specification.fill, specification.align) = ("0", "=") }
      specification.type = type == "i" || type == "u" ? "d" : type
      return try number(interpreter, value, specification)
    default:
      throw TemplateError(
        .value,
        "unsupported format character '\(type)' (0x\(String(type.value, radix: 16))) at index \(index - 1)")
    }
  }

  private mutating func readName() throws -> Value {
    guard case .mapping(let mapping)? = mapping else { throw TemplateError(.type, "format requires a mapping") }
    usesNames = true
    let start = index + 1
    var depth = 0
    repeat {
      if try peek() == "(" { depth += 1 } else if format[index] == ")" { depth -= 1 }
      index += 1
      if index >= format.count, depth > 0 { throw TemplateError(.value, "incomplete format key") }
    } while depth > 0
    let name = Text(format[start..<(index - 1)])
    guard let value = mapping[.text(name)] else { throw TemplateError(.key, name.quoted.string) }
    return value
  }

  private mutating func take() throws -> Value {
    guard let value = values.popFirst() else {
      throw TemplateError(.type, "not enough arguments for format string")
    }
    return value
  }

  /// A width or precision: digits, or `*` for the next value.
  private mutating func number(_ named: Value?) throws -> Int? {
    if try peek() == "*" {
      index += 1
      guard let integer = try take().asInteger else { throw TemplateError(.type, "* wants int") }
      guard let value = integer.int, abs(value) <= 100_000 else {
        throw TemplateError(.limit, "a width or precision of more than 100000")
      }
      return value
    }
    let start = index
    while ("0"..."9").contains(try peek()) { index += 1 }
    if index == start { return nil }
    guard let value = Integer(digits: format[start..<index], radix: 10)?.int, value <= 100_000 else {
      throw TemplateError(.limit, "a width or precision of more than 100000")
    }
    return value
  }

  private func text(
    _ interpreter: Interpreter, _ value: Value, _ type: Unicode.Scalar, _ specification: FormatSpecification
  ) throws -> [Unicode.Scalar] {
    var text = try type == "s" ? interpreter.text(value) : interpreter.representation(value)
    if type == "a" { text = Text(text.scalars.flatMap { $0.isASCII ? [$0] : Text.escape($0) }) }
    if let precision = specification.precision { text = Text(text.scalars.prefix(precision)) }
    return specification.padded(text, standard: ">").scalars
  }

  private func character(_ value: Value) throws -> Text {
    if let integer = value.asInteger {
      guard let code = integer.int, let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) else {
        throw TemplateError(.overflow, "%c arg not in range(0x110000)")
      }
      return Text([scalar])
    }
    guard case .text(let text) = value, text.count == 1 else {
      throw TemplateError(.type, "%c requires int or char")
    }
    return text
  }

  private func number(
    _ interpreter: Interpreter, _ value: Value, _ specification: FormatSpecification
  ) throws -> [Unicode.Scalar] {
    if case .undefined(let missing) = value { throw missing.error }
    var specification = specification
    let type = specification.type ?? "d"
    if ["d", "o", "x", "X"].contains(type) {
      guard let integer = value.asInteger ?? truncated(value, type) else {
        let wanted = type == "d" ? "a real number is required" : "an integer is required"
        throw TemplateError(.type, "%\(type) format: \(wanted), not \(value.typeName)")
      }
      // Python's own formats have no precision for integers; here it is the least number of digits.
      let digits = specification.precision ?? 0
      specification.precision = nil
      return try interpreter.formatted(integer, specification, leastDigits: digits).scalars
    }
    guard let number = value.asDouble else {
      throw TemplateError(.type, "must be real number, not \(value.typeName)")
    }
    return try interpreter.formatted(number, specification, isPercent: true).scalars
  }

  private func truncated(_ value: Value, _ type: Unicode.Scalar) -> Integer? {
    guard type == "d", case .double(let number) = value, number.isFinite else { return nil }
    return Integer(truncating: number)
  }
}
