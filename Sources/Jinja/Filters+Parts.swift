extension Filters {
  static let listParts: [String: Filter] = [
    "groupby": { interpreter, value, arguments in
      let values = try arguments.bound("do_groupby", ["attribute", "default", "case_sensitive"], required: 1)
      return try groups(interpreter, value, values)
    },
    "batch": { interpreter, value, arguments in
      let values = try arguments.bound("do_batch", ["linecount", "fill_with"], required: 1)
      var rows: [Value]?
      return .iterator(
        ValueIterator(of: value) {
          if rows == nil {
            rows = try batches(interpreter, interpreter.items(value), values[0] ?? .none, given(values[1])).reversed()
          }
          return rows?.popLast()
        })
    },
    "slice": { interpreter, value, arguments in
      let values = try arguments.bound("do_slice", ["slices", "fill_with"], required: 1)
      var rows: [Value]?
      return .iterator(
        ValueIterator(of: value) {
          if rows == nil {
            let count = try integer(values[0] ?? .none)
            rows = try slices(interpreter, interpreter.items(value), count, given(values[1])).reversed()
          }
          return rows?.popLast()
        })
    },
  ]

  private static func groups(_ interpreter: Interpreter, _ value: Value, _ values: [Value?]) throws -> Value {
    let (standard, ignoresCase) = (given(values[1]), !isTrue(values[2]))
    let key = try getter(interpreter, values[0], standard: standard, ignoresCase: ignoresCase)
    let shown = try getter(interpreter, values[0], standard: standard)
    let items = try interpreter.sorted(interpreter.items(value), key: key)
    var groups: [(key: Value, items: [Value])] = []
    for item in items {
      let itemKey = try key(item)
      if let last = groups.last, try interpreter.equal(last.key, itemKey) {
        groups[groups.count - 1].items.append(item)
      } else {
        groups.append((itemKey, [item]))
      }
    }
    return Value(
      try groups.map { group in
        .tuple(TupleValue([try shown(group.items[0]), Value(group.items)], names: ["grouper", "list"]))
      })
  }

  private static func batches(
    _ interpreter: Interpreter, _ items: [Value], _ width: Value, _ fill: Value?
  ) throws -> [Value] {
    // Any number compares with a count; one that is no count is never reached.
    let width = try width.asInteger?.clamped ?? (width.asDouble.map { Int(exactly: $0) ?? -1 }) ?? integer(width)
    var rows: [[Value]] = []
    var row: [Value] = []
    for item in items {
      if row.count == width {
        rows.append(row)
        row = []
      }
      row.append(item)
    }
    if !row.isEmpty {
      if let fill, row.count < width {
        guard width <= interpreter.limits.size else { throw interpreter.tooLarge }
        row += Array(repeating: fill, count: width - row.count)
      }
      rows.append(row)
    }
    return rows.map { Value($0) }
  }

  private static func slices(
    _ interpreter: Interpreter, _ items: [Value], _ count: Int, _ fill: Value?
  ) throws -> [Value] {
    if count == 0 { throw TemplateError(.zeroDivision, "integer division or modulo by zero") }
    guard count > 0 else { return [] }
    guard count <= interpreter.limits.size else { throw interpreter.tooLarge }
    let (width, extra) = (items.count / count, items.count % count)
    return (0..<count).map { index in
      let start = index * width + min(index, extra)
      var part = Array(items[start..<(start + width + (index < extra ? 1 : 0))])
      if let fill, index >= extra { part.append(fill) }
      return Value(part)
    }
  }

  static let markup: [String: Filter] = [
    "e": escape, "escape": escape, "forceescape": forceEscape,
    "safe": { interpreter, value, arguments in
      _ = try arguments.bound("do_mark_safe", [])
      return .text(Text(try interpreter.text(value).scalars, isMarkup: true))
    },
    "striptags": { interpreter, value, arguments in
      _ = try arguments.bound("do_striptags", [])
      return .text(try interpreter.withoutTags(interpreter.text(value)))
    },
    "urlencode": { interpreter, value, arguments in
      _ = try arguments.bound("do_urlencode", [])
      return try urlEncoded(interpreter, value)
    },
    "xmlattr": { interpreter, value, arguments in
      let spaces = try arguments.bound("do_xmlattr", ["autospace"])[0].map(\.isTrue) ?? true
      guard case .mapping(let mapping) = value else {
        return try interpreter.call(interpreter.attribute(value, "items"), Arguments())
      }
      return .text(try interpreter.attributes(mapping, spaces))
    },
  ]

  private static let escape: Filter = { interpreter, value, arguments in
    _ = try arguments.unnamed("escape", 0...0)
    return .text(try interpreter.checked(interpreter.text(value).escapedForHTML))
  }

  private static let forceEscape: Filter = { interpreter, value, arguments in
    _ = try arguments.bound("do_forceescape", [])
    let plain = Text(try interpreter.text(value).scalars)
    return .text(try interpreter.checked(plain.escapedForHTML))
  }

  private static func urlEncoded(_ interpreter: Interpreter, _ value: Value) throws -> Value {
    guard !value.isText, value.isIterable else { return .text(percentEncoded(try interpreter.text(value), false)) }
    let pairs: [Value] =
      if case .mapping(let mapping) = value {
        MappingView(part: .items, mapping: mapping).items
      } else {
        try interpreter.items(value)
      }
    var parts: [Text] = []
    for pair in pairs {
      let items = try interpreter.items(pair)
      guard items.count == 2 else { throw TemplateError(.value, "expected pairs of a key and a value") }
      let (key, item) = (try interpreter.text(items[0]), try interpreter.text(items[1]))
      parts.append(percentEncoded(key, true) + "=" + percentEncoded(item, true))
    }
    return .text(Text(Array(parts.map(\.scalars).joined(separator: ["&"]))))
  }

  private static func percentEncoded(_ text: Text, _ isQuery: Bool) -> Text {
    let kept = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-~".utf8)
    var result = ""
    for byte in text.string.utf8 {
      if kept.contains(byte) || byte == 47 && !isQuery {
        result.unicodeScalars.append(Unicode.Scalar(byte))
      } else if byte == 32, isQuery {
        result += "+"
      } else {
        let digits = String(byte, radix: 16, uppercase: true)
        result += "%" + (digits.count < 2 ? "0" : "") + digits
      }
    }
    return Text(result)
  }
}

extension Interpreter {
  /// Without comments and tags, references read, and white space as single spaces.
  func withoutTags(_ text: Text) throws -> Text {
    var scalars = text.scalars
    for (open, close) in [("<!--", "-->"), ("<", ">")] as [(Text, Text)] {
      var index = 0
      while let start = Text(scalars).first(open, in: index..<scalars.count) {
        guard let end = Text(scalars).first(close, in: start..<scalars.count) else { break }
        try step(1 + scalars.count / 16)
        scalars.removeSubrange(start..<(end + close.count))
        index = start
      }
    }
    let words = Text(scalars).splitAtSpace(limit: -1).map(\.scalars)
    let joined = Text(Array(words.joined(separator: [" "])))
    guard joined.scalars.contains("&") else { return joined }
    let named: [(Text, Text)] = [
      ("&lt;", "<"), ("&gt;", ">"), ("&#39;", "'"), ("&#34;", "\""), ("&quot;", "\""), ("&amp;", "&"),
    ]
    return named.reduce(joined) { $0.replacing($1.0, with: $1.1, limit: -1) }
  }

  func attributes(_ mapping: MappingValue, _ spaces: Bool) throws -> Text {
    var parts: [[Unicode.Scalar]] = []
    for (key, value) in mapping.entries where !value.isNone && !value.isUndefined {
      guard case .text(let name) = key else { throw TemplateError(.type, "expected string or bytes-like object") }
      if name.scalars.contains(where: { $0.isASCII && $0.isSpace || ["/", ">", "="].contains($0) }) {
        throw TemplateError(.value, "Invalid character in attribute name: \(name.quoted.string)")
      }
      parts.append(name.escapedForHTML.scalars + ["=", "\""] + (try text(value).escapedForHTML.scalars) + ["\""])
    }
    let joined = Array(parts.joined(separator: [" "]))
    return try checked(Text(spaces && !joined.isEmpty ? [" "] + joined : joined))
  }
}
