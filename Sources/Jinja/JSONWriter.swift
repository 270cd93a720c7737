/// `tojson`: JSON as Python's `json.dumps` writes it.
struct JSONWriter {
  private let interpreter: Interpreter
  private let isASCII: Bool
  /// Text of one level; nil where all is on one line.
  private let indent: [Unicode.Scalar]?
  private let itemSeparator, keySeparator: [Unicode.Scalar]
  private let sortsKeys: Bool
  private var output: [Unicode.Scalar] = []

  init(_ interpreter: Interpreter, isASCII: Bool, indent: Value?, separators: Value?, sortsKeys: Bool) throws {
    self.interpreter = interpreter
    self.isASCII = isASCII
    self.sortsKeys = sortsKeys
    switch indent {
    case nil: self.indent = nil
    case .text(let text)?: self.indent = text.scalars
    case let value?:
      let width = try Filters.integer(value)
      guard width <= 1000 else { throw interpreter.tooLarge }
      self.indent = Array(repeating: " ", count: max(0, width))
    }
    guard let separators else {
      itemSeparator = indent == nil ? [",", " "] : [","]
      keySeparator = [":", " "]
      return
    }
    let pair = try interpreter.items(separators)
    guard pair.count == 2 else { throw TemplateError(.value, "separators must be two texts") }
    guard case .text(let item) = pair[0], case .text(let key) = pair[1] else {
      throw TemplateError(.type, "separators must be two texts")
    }
    (itemSeparator, keySeparator) = (item.scalars, key.scalars)
  }

  mutating func text(_ value: Value) throws -> Text {
    try write(value, 0)
    return try interpreter.checked(Text(output))
  }

  private mutating func write(_ value: Value, _ level: Int) throws {
    try interpreter.step()
    guard output.count <= interpreter.limits.size else { throw interpreter.tooLarge }
    guard level < 200 else { throw TemplateError(.limit, "more than 200 levels of JSON") }
    switch value {
    case .none: add("null")
    case .bool(let flag): add(flag ? "true" : "false")
    case .integer(let integer): add(try Interpreter.decimal(integer))
    case .double(let number): add(Self.number(number))
    case .text(let text): write(text)
    case .list(let list): try write(list.items, level)
    case .tuple(let tuple): try write(tuple.items, level)
    case .mapping(let mapping): try write(mapping, level)
    default:
      throw TemplateError(.type, "Object of type \(value.typeName) is not JSON serializable")
    }
  }

  private mutating func add(_ string: String) { output += string.unicodeScalars }

  private static func number(_ number: Double) -> String {
    if number.isNaN { return "NaN" }
    return number.isInfinite ? (number < 0 ? "-Infinity" : "Infinity") : number.pythonText
  }

  private mutating func newline(_ level: Int) {
    guard let indent else { return }
    output.append("\n")
    for _ in 0..<level { output += indent }
  }

  private mutating func write(_ items: [Value], _ level: Int) throws {
    output.append("[")
    for (index, item) in items.enumerated() {
      if index > 0 { output += itemSeparator }
      newline(level + 1)
      try write(item, level + 1)
    }
    if !items.isEmpty { newline(level) }
    output.append("]")
  }

  private mutating func write(_ mapping: MappingValue, _ level: Int) throws {
    output.append("{")
    let entries = sortsKeys ? try interpreter.sorted(mapping.entries, key: \.key) : mapping.entries
    for (index, entry) in entries.enumerated() {
      if index > 0 { output += itemSeparator }
      newline(level + 1)
      write(try Self.key(entry.key))
      output += keySeparator
      try write(entry.value, level + 1)
    }
    if !entries.isEmpty { newline(level) }
    output.append("}")
  }

  private static func key(_ value: Value) throws -> Text {
    switch value {
    case .text(let text): return text
    case .none: return "null"
    case .bool(let flag): return flag ? "true" : "false"
    case .integer(let integer): return Text(try Interpreter.decimal(integer))
    case .double(let number): return Text(Self.number(number))
    default:
      throw TemplateError(.type, "keys must be str, int, float, bool or None, not \(value.typeName)")
    }
  }

  private mutating func write(_ text: Text) {
    output.append("\"")
    for scalar in text.scalars {
      switch scalar {
      case "\"", "\\": output += ["\\", scalar]
      case "\n": output += ["\\", "n"]
      case "\r": output += ["\\", "r"]
      case "\t": output += ["\\", "t"]
      case "\u{8}": output += ["\\", "b"]
      case "\u{C}": output += ["\\", "f"]
      default:
        if scalar.value < 0x20 || isASCII && scalar.value > 0x7E {
          for unit in String(Character(scalar)).utf16 {
            let digits = String(unit, radix: 16)
            add("\\u" + String(repeating: "0", count: 4 - digits.count) + digits)
          }
        } else {
          output.append(scalar)
        }
      }
    }
    output.append("\"")
  }
}
