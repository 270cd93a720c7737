extension Interpreter {
  /// `text.format(…)`.
  func braceFormat(_ format: Text, _ arguments: Arguments) throws -> Text {
    var automatic = 0
    return Text(try formatted(format.scalars, arguments, &automatic, depth: 2).scalars, isMarkup: format.isMarkup)
  }

  /// - Parameter automatic: the next argument of fields without a name; -1 after one with a number.
  private func formatted(
    _ format: [Unicode.Scalar], _ arguments: Arguments, _ automatic: inout Int, depth: Int
  ) throws -> Text {
    guard depth > 0 else { throw TemplateError(.value, "Max string recursion exceeded") }
    var result: [Unicode.Scalar] = []
    var index = 0
    while index < format.count {
      let scalar = format[index]
      index += 1
      guard scalar == "{" || scalar == "}" else {
        result.append(scalar)
        continue
      }
      if index < format.count, format[index] == scalar {
        result.append(scalar)
        index += 1
        continue
      }
      if scalar == "}" { throw TemplateError(.value, "Single '}' encountered in format string") }
      if index == format.count { throw TemplateError(.value, "Single '{' encountered in format string") }
      let end = try endOfField(format, index)
      result += try field(Array(format[index..<end]), arguments, &automatic, depth).scalars
      guard result.count <= limits.size else { throw tooLarge }
      index = end + 1
    }
    return try checked(Text(result))
  }

  private func endOfField(_ format: [Unicode.Scalar], _ start: Int) throws -> Int {
    var (index, depth, isIndex) = (start, 1, false)
    while index < format.count {
      switch format[index] {
      case "[": isIndex = true
      case "]": isIndex = false
      case "{" where !isIndex: depth += 1
      case "}" where !isIndex:
        depth -= 1
        if depth == 0 { return index }
      default: break
      }
      index += 1
    }
    throw TemplateError(.value, "expected '}' before end of string")
  }

  private func field(
    _ field: [Unicode.Scalar], _ arguments: Arguments, _ automatic: inout Int, _ depth: Int
  ) throws -> Text {
    var (index, isIndex) = (0, false)
    while index < field.count, isIndex || field[index] != ":" && field[index] != "!" {
      if field[index] == "[" { isIndex = true } else if field[index] == "]" { isIndex = false }
      index += 1
    }
    var value = try lookup(Array(field[..<index]), arguments, &automatic)
    var rest = field[index...]
    if rest.first == "!" {
      rest.removeFirst()
      guard let conversion = rest.popFirst(), rest.isEmpty || rest.first == ":" else {
        throw TemplateError(.value, "expected ':' after conversion specifier")
      }
      switch conversion {
      case "s": value = .text(try text(value))
      case "r": value = .text(try representation(value))
      case "a": value = .text(Text(try representation(value).scalars.flatMap { $0.isASCII ? [$0] : Text.escape($0) }))
      default: throw TemplateError(.value, "Unknown conversion specifier \(conversion)")
      }
    }
    let specification = try formatted(Array(rest.dropFirst()), arguments, &automatic, depth: depth - 1)
    return try formatted(value, specification)
  }

  private func lookup(_ name: [Unicode.Scalar], _ arguments: Arguments, _ automatic: inout Int) throws -> Value {
    let first = name.prefix { $0 != "." && $0 != "[" }
    var value = try argument(Array(first), arguments, &automatic)
    var rest = name[first.endIndex...]
    while let mark = rest.popFirst() {
      if mark == "." {
        let part = rest.prefix { $0 != "." && $0 != "[" }
        if part.isEmpty { throw TemplateError(.value, "Empty attribute in format string") }
        value = try attribute(value, Text(part).string)
        rest = rest.dropFirst(part.count)
      } else {
        guard mark == "[", let end = rest.firstIndex(of: "]") else {
          throw TemplateError(.value, mark == "[" ? "Missing ']' in format string" : "Only '.' or '[' may follow ']'")
        }
        let part = rest[..<end]
        if part.isEmpty { throw TemplateError(.value, "Empty attribute in format string") }
        let number = part.allSatisfy { ("0"..."9").contains($0) } ? Integer(digits: part, radix: 10) : nil
        value = try item(value, number.map { .integer($0) } ?? .text(Text(part)))
        rest = rest[(end + 1)...]
      }
    }
    return value
  }

  private func argument(_ name: [Unicode.Scalar], _ arguments: Arguments, _ automatic: inout Int) throws -> Value {
    var position: Int?
    if name.isEmpty {
      guard automatic >= 0 else {
        throw TemplateError(.value, "cannot switch from manual field specification to automatic field numbering")
      }
      position = automatic
      automatic += 1
    } else if name.allSatisfy({ ("0"..."9").contains($0) }) {
      guard automatic <= 0 else {
        throw TemplateError(.value, "cannot switch from automatic field numbering to manual field specification")
      }
      automatic = -1
      position = Integer(digits: name, radix: 10)?.clamped
    }
    if let position {
      guard position < arguments.positional.count else {
        throw TemplateError(.index, "Replacement index \(position) out of range for positional args tuple")
      }
      return arguments.positional[position]
    }
    let text = Text(name)
    guard let value = arguments.named.first(where: { Text($0.name) == text })?.value else {
      throw TemplateError(.key, text.quoted.string)
    }
    return value
  }

  // MARK: - Values

  private func formatted(_ value: Value, _ text: Text) throws -> Text {
    switch value {
    case .text(let written):
      let specification = try FormatSpecification(text)
      guard specification.type ?? "s" == "s", specification.grouping == nil, specification.sign == "-",
        specification.align != "=" || specification.fill == "0"
      else { throw TemplateError(.value, "Invalid format specifier for object of type 'str'") }
      let shown = specification.precision.map { Text(written.scalars.prefix($0)) } ?? written
      var plain = specification
      if plain.align == "=" { plain.align = "<" }
      return plain.padded(shown, standard: "<")
    case .bool where text.isEmpty: return try self.text(value)
    case .integer(let integer): return try formatted(integer, FormatSpecification(text))
    case .bool(let flag): return try formatted(Integer(flag ? 1 : 0), FormatSpecification(text))
    case .double(let number): return try formatted(number, FormatSpecification(text), isPercent: false)
    default:
      guard text.isEmpty else {
        throw TemplateError(.type, "unsupported format string passed to \(value.typeName).__format__")
      }
      return try self.text(value)
    }
  }

  func formatted(_ integer: Integer, _ specification: FormatSpecification, leastDigits: Int = 0) throws -> Text {
    let type = specification.type ?? "d"
    if ["e", "E", "f", "F", "g", "G", "%"].contains(type) {
      let number = integer.double
      guard number.isFinite else { throw TemplateError(.overflow, "int too large to convert to float") }
      return try formatted(number, specification, isPercent: false)
    }
    if specification.precision != nil {
      throw TemplateError(.value, "Precision not allowed in integer format specifier")
    }
    if type == "c" {
      guard let code = integer.int, let scalar = UInt32(exactly: code).flatMap(Unicode.Scalar.init) else {
        throw TemplateError(.overflow, "%c arg not in range(0x110000)")
      }
      return specification.padded(Text([scalar]), standard: "<")
    }
    let radixes: [Unicode.Scalar: Int] = ["d": 10, "n": 10, "b": 2, "o": 8, "x": 16, "X": 16]
    guard let radix = radixes[type] else {
      throw TemplateError(.value, "Unknown format code '\(type)' for object of type 'int'")
    }
    var digits = integer.magnitude.text(radix: radix)
    if type == "X" { digits = digits.uppercased() }
    digits = String(repeating: "0", count: max(0, leastDigits - digits.count)) + digits
    let prefix = specification.isAlternate && radix != 10 ? "0\(type)" : ""
    return assembled(integer.isNegative, prefix, digits, rest: "", specification, groupsOf: radix == 10 ? 3 : 4)
  }

  /// - Parameter isPercent: after the rules of `%`, where `#` and an empty type mean other things.
  func formatted(_ number: Double, _ specification: FormatSpecification, isPercent: Bool) throws -> Text {
    var value = abs(number)
    if number.isNaN { value = .nan }
    let type = specification.type
    let precision = specification.precision
    var text: String
    switch type {
    case "f", "F": text = NumberText.fixed(value, precision ?? 6)
    case "%": text = NumberText.fixed(value * 100, precision ?? 6) + "%"
    case "e", "E": text = NumberText.exponential(value, precision ?? 6)
    case "g", "G":
      text = NumberText.general(value, max(1, precision ?? 6), keepsZeros: specification.isAlternate)
    case nil:
      if let precision {
        text = NumberText.general(value, max(1, precision), keepsZeros: false)
        if !text.contains("."), !text.contains("e"), value.isFinite { text += ".0" }
      } else {
        text = value.pythonText
      }
    default:
      throw TemplateError(.value, "Unknown format code '\(type.map(String.init) ?? "")' for object of type 'float'")
    }
    if let type, ["F", "E", "G"].contains(type) { text = text.uppercased() }
    let digits = text.prefix { $0.isNumber }
    return assembled(
      number.sign == .minus && !number.isNaN, "", String(digits), rest: String(text.dropFirst(digits.count)),
      specification, groupsOf: 3)
  }

  /// Sign, prefix, digits in groups, and what comes after them, filled up to the width.
  private func assembled(
    _ isNegative: Bool, _ prefix: String, _ digits: String, rest: String, _ specification: FormatSpecification,
    groupsOf size: Int
  ) -> Text {
    let sign = isNegative ? "-" : specification.sign == "-" ? "" : String(specification.sign)
    let front = sign + prefix
    guard let grouping = specification.grouping else {
      return specification.padded(Text(front + digits + rest), standard: ">", prefix: front.unicodeScalars.count)
    }
    var digits = Array(digits.unicodeScalars)
    // Zeros that fill up a number are grouped with it.
    if specification.fill == "0", specification.align == "=" {
      let width = specification.width - front.unicodeScalars.count - rest.unicodeScalars.count
      while digits.count + (digits.count - 1) / size < width { digits.insert("0", at: 0) }
    }
    var grouped: [Unicode.Scalar] = []
    for (index, digit) in digits.enumerated() {
      if index > 0, (digits.count - index) % size == 0 { grouped.append(grouping) }
      grouped.append(digit)
    }
    let all = Text(Array(front.unicodeScalars) + grouped + Array(rest.unicodeScalars))
    return specification.padded(all, standard: ">", prefix: front.unicodeScalars.count)
  }
}
