extension Interpreter {
  /// As Python's `str`.
  func text(_ value: Value) throws -> Text {
    switch value {
    case .undefined: Text([])
    case .text(let text): text
    default: try representation(value)
    }
  }

  /// As Python's `repr`.
  func representation(_ value: Value) throws -> Text {
    var output: [Unicode.Scalar] = []
    try represent(value, into: &output)
    return try checked(Text(output))
  }

  private func represent(_ value: Value, into output: inout [Unicode.Scalar]) throws {
    try step()
    guard output.count <= limits.size else { throw tooLarge }
    func add(_ string: String) { output += string.unicodeScalars }
    switch value {
    case .undefined: add("Undefined")
    case .none: add("None")
    case .bool(let flag): add(flag ? "True" : "False")
    case .integer(let integer): add(try Self.decimal(integer))
    case .double(let number): add(number.pythonText)
    case .text(let text):
      if text.isMarkup { add("Markup(") }
      output += text.quoted.scalars
      if text.isMarkup { add(")") }
    case .list(let list): try represent(list.items, "[", "]", into: &output)
    case .tuple(let tuple): try represent(tuple.items, "(", tuple.items.count == 1 ? ",)" : ")", into: &output)
    case .mapping(let mapping): try represent(mapping, into: &output)
    case .view(let view): try represent(view.items, "\(value.typeName)([", "])", into: &output)
    case .range(let range):
      add("range(\(range.start), \(range.stop)\(range.step == .small(1) ? "" : ", \(range.step)"))")
    case .iterator(let iterator): add("<\(iterator.name) object>")
    case .function(let function): add("<\(function.type) \(function.name)>")
    case .macro(let macro): add("<Macro \(macro.name.map { Text($0).quoted.string } ?? "anonymous")>")
    case .namespace(let namespace):
      add("<Namespace ")
      try represent(namespace.members, into: &output)
      add(">")
    case .loop(let loop): add("<LoopContext \(loop.index0 + 1)/\(try loop.length())>")
    case .cycler: add("<Cycler>")
    }
  }

  private func represent(
    _ items: [Value], _ open: String, _ close: String, into output: inout [Unicode.Scalar]
  ) throws {
    try deeper {
      output += open.unicodeScalars
      for (index, item) in items.enumerated() {
        if index > 0 { output += [",", " "] }
        try represent(item, into: &output)
      }
      output += close.unicodeScalars
    }
  }

  private func represent(_ mapping: MappingValue, into output: inout [Unicode.Scalar]) throws {
    try deeper {
      output.append("{")
      for (index, entry) in mapping.entries.enumerated() {
        if index > 0 { output += [",", " "] }
        try represent(entry.key, into: &output)
        output += [":", " "]
        try represent(entry.value, into: &output)
      }
      output.append("}")
    }
  }

  /// Decimal digits; Python refuses more than 4300 of them.
  static func decimal(_ integer: Integer) throws -> String {
    let text = integer.description
    guard text.utf8.count <= 4301 else {
      throw TemplateError(.value, "Exceeds the limit (4300 digits) for integer string conversion")
    }
    return text
  }
}

extension Double {
  /// The shortest decimal number that is this one, written as Python does.
  var pythonText: String {
    if isNaN { return "nan" }
    if isInfinite { return self < 0 ? "-inf" : "inf" }
    let (digits, exponent) = shortestDigits
    let sign = self.sign == .minus ? "-" : ""
    guard exponent >= -4, exponent < 16 else {
      let rest = digits.dropFirst()
      let power = exponent.magnitude < 10 ? "0\(exponent.magnitude)" : "\(exponent.magnitude)"
      return "\(sign)\(digits.prefix(1))\(rest.isEmpty ? "" : ".")\(rest)e\(exponent < 0 ? "-" : "+")\(power)"
    }
    if exponent < 0 { return "\(sign)0.\(String(repeating: "0", count: -exponent - 1))\(digits)" }
    let padded = digits + String(repeating: "0", count: max(0, exponent + 1 - digits.count))
    let fraction = padded.dropFirst(exponent + 1)
    return "\(sign)\(padded.prefix(exponent + 1)).\(fraction.isEmpty ? "0" : fraction)"
  }

  /// Digits without zeros at the end, and the power of ten of the first one.
  private var shortestDigits: (digits: String, exponent: Int) {
    // Swift writes the shortest digits, too, in another layout.
    let parts = magnitude.description.split(separator: "e")
    let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let fraction = mantissa.count > 1 ? mantissa[1] : ""
    var exponent = (parts.count > 1 ? Int(parts[1]) ?? 0 : 0) + mantissa[0].count - 1
    var digits = String(mantissa[0] + fraction)
    while digits.count > 1, digits.first == "0" {
      digits.removeFirst()
      exponent -= 1
    }
    while digits.count > 1, digits.last == "0" { digits.removeLast() }
    return digits == "0" ? ("0", 0) : (digits, exponent)
  }
}
