extension JSONValue {
  /// The value as JSON text: compact, or indented by one or two spaces a level.
  ///
  /// Deterministic; non-ASCII text stays as it is.
  package func text(indent: Int? = nil) -> String {
    var output = ""
    write(to: &output, indent: indent, level: 0)
    return output
  }

  private func write(to output: inout String, indent: Int?, level: Int) {
    switch self {
    case .null: output += "null"
    case .bool(let value): output += value ? "true" : "false"
    case .integer(let value): output += String(value)
    case .number(let value): output += Self.numberText(value)
    case .string(let value): Self.writeString(value, to: &output)
    case .array(let items):
      Self.writeItems(items, "[", "]", &output, indent, level) { item, output in
        item.write(to: &output, indent: indent, level: level + 1)
      }
    case .object(let object):
      Self.writeItems(object.members, "{", "}", &output, indent, level) { member, output in
        Self.writeString(member.key, to: &output)
        output += indent == nil ? ":" : ": "
        member.value.write(to: &output, indent: indent, level: level + 1)
      }
    }
  }

  private static func writeItems<T>(
    _ items: [T], _ open: String, _ close: String, _ output: inout String, _ indent: Int?, _ level: Int,
    _ write: (T, inout String) -> Void
  ) {
    output += open
    for (index, item) in items.enumerated() {
      if index > 0 { output += "," }
      if let indent { output += "\n" + String(repeating: " ", count: indent * (level + 1)) }
      write(item, &output)
    }
    if let indent, !items.isEmpty { output += "\n" + String(repeating: " ", count: indent * level) }
    output += close
  }

  /// The shortest text that reads back to the same number.
  private static func numberText(_ value: Double) -> String { value.isFinite ? value.description : "null" }

  package static func writeString(_ value: String, to output: inout String) {
    output += "\""
    for scalar in value.unicodeScalars {
      switch scalar {
      case "\"": output += "\\\""
      case "\\": output += "\\\\"
      case "\n": output += "\\n"
      case "\r": output += "\\r"
      case "\t": output += "\\t"
      case "\u{00}"..."\u{1F}", "\u{7F}":
        let code = String(scalar.value, radix: 16)
        output += "\\u" + String(repeating: "0", count: 4 - code.count) + code
      default: output.unicodeScalars.append(scalar)
      }
    }
    output += "\""
  }
}
