extension Filters {
  private static func change(
    _ function: String, _ body: @escaping @Sendable (Text) throws -> Text
  ) -> Filter {
    { interpreter, value, arguments in
      _ = try arguments.bound(function, [])
      return .text(try interpreter.checked(body(soft(interpreter, value))))
    }
  }

  static let textFilters: [String: Filter] = [
    "upper": change("do_upper") { $0.uppercased },
    "lower": change("do_lower") { $0.lowercased },
    "capitalize": change("do_capitalize") { $0.capitalized },
    "title": change("do_title", title),
    "string": change("soft_str") { $0 },
    "trim": { interpreter, value, arguments in
      let characters = given(try arguments.bound("do_trim", ["chars"])[0])
      let text = try soft(interpreter, value)
      guard let characters else { return .text(text.trimmed()) }
      guard case .text(let set) = characters else {
        throw TemplateError(.type, "strip arg must be None or str")
      }
      return .text(text.trimmed(set))
    },
    "replace": { interpreter, value, arguments in
      let values = try arguments.bound("do_replace", ["old", "new", "count"], required: 2)
      let text = try interpreter.text(value)
      let (old, new) = (try interpreter.text(values[0] ?? .none), try interpreter.text(values[1] ?? .none))
      let limit = try given(values[2]).map(integer) ?? -1
      try interpreter.checkReplacement(text, old, new)
      return .text(try interpreter.checked(text.replacing(old, with: new, limit: limit)))
    },
    "center": { interpreter, value, arguments in
      let width = try arguments.bound("do_center", ["width"])[0].map(integer) ?? 80
      guard width <= interpreter.limits.size else { throw interpreter.tooLarge }
      return .text(centered(try soft(interpreter, value), width, " "))
    },
    "wordcount": { interpreter, value, arguments in
      _ = try arguments.bound("do_wordcount", [])
      let text = try soft(interpreter, value)
      let starts = text.scalars.indices.filter {
        text.scalars[$0].isWord && ($0 == 0 || !text.scalars[$0 - 1].isWord)
      }
      return Value(starts.count)
    },
    "format": { interpreter, value, arguments in
      if !arguments.positional.isEmpty, !arguments.named.isEmpty {
        throw TemplateError(.filterArgument, "can't handle positional and keyword arguments at the same time")
      }
      let values: Value =
        arguments.named.isEmpty
        ? .tuple(TupleValue(arguments.positional)) : Value(arguments.named.map { (key: $0.name, value: $0.value) })
      return .text(try interpreter.percentFormat(soft(interpreter, value), values))
    },
  ]

  /// Words begin after white space, hyphens, and opening brackets.
  private static func title(_ text: Text) -> Text {
    func isBreak(_ scalar: Unicode.Scalar) -> Bool { scalar.isSpace || ["-", "(", "{", "[", "<"].contains(scalar) }
    var result = Text([], isMarkup: text.isMarkup)
    var index = 0
    while index < text.count {
      var end = index
      let breaks = isBreak(text.scalars[index])
      while end < text.count, isBreak(text.scalars[end]) == breaks { end += 1 }
      let first = Text([text.scalars[index]]).uppercased
      result.scalars += first.scalars + Text(text.scalars[(index + 1)..<end]).lowercased.scalars
      index = end
    }
    return result
  }

  /// As `str.center`: the odd space goes to the left where the width is odd.
  static func centered(_ text: Text, _ width: Int, _ fill: Unicode.Scalar) -> Text {
    let padding = width - text.count
    guard padding > 0 else { return text }
    let left = padding / 2 + (padding & width & 1)
    return Text(
      Array(repeating: fill, count: left) + text.scalars + Array(repeating: fill, count: padding - left),
      isMarkup: text.isMarkup)
  }

  static let textEditing: [String: Filter] = [
    "indent": { interpreter, value, arguments in
      let values = try arguments.bound("do_indent", ["width", "first", "blank"])
      guard case .text(let text) = value else {
        if case .undefined(let missing) = value { throw missing.error }
        throw TemplateError(.type, "unsupported operand type(s) for +=: '\(value.typeName)' and 'str'")
      }
      return .text(try interpreter.indented(text, values[0] ?? Value(4), isTrue(values[1]), isTrue(values[2])))
    },
    "truncate": { interpreter, value, arguments in
      let values = try arguments.bound("do_truncate", ["length", "killwords", "end", "leeway"])
      return try truncated(interpreter, value, values)
    },
    "wordwrap": { _, _, _ in throw TemplateError(.unsupported, "the filter 'wordwrap' is not supported") },
    "urlize": { _, _, _ in throw TemplateError(.unsupported, "the filter 'urlize' is not supported") },
    "random": { _, _, _ in throw TemplateError(.unsupported, "the filter 'random' is not supported") },
    "pprint": { interpreter, value, arguments in
      _ = try arguments.bound("do_pprint", [])
      let text = try interpreter.representation(interpreter.orderedByKey(value))
      guard text.count <= 80 else {
        throw TemplateError(.unsupported, "the filter 'pprint' is not supported for values of more than 80 characters")
      }
      return .text(text)
    },
    "tojson": { interpreter, value, arguments in
      let names = ["ensure_ascii", "indent", "separators", "sort_keys"]
      let values = try arguments.bound("tojson", names)
      var writer = try JSONWriter(
        interpreter, isASCII: isTrue(values[0]), indent: given(values[1]), separators: given(values[2]),
        sortsKeys: isTrue(values[3]))
      return .text(try writer.text(value))
    },
  ]

  private static func truncated(_ interpreter: Interpreter, _ value: Value, _ values: [Value?]) throws -> Value {
    let length = try values[0].map(integer) ?? 255
    let end = values[2] ?? Value("...")
    guard case .text(let mark) = end else { throw TemplateError(.type, "'end' of truncate must be a text") }
    let leeway = try given(values[3]).map(integer) ?? 5
    guard length >= mark.count else {
      throw TemplateError(.assertionFailed, "expected length >= \(mark.count), got \(length)")
    }
    guard leeway >= 0 else { throw TemplateError(.assertionFailed, "expected leeway >= 0, got \(leeway)") }
    let (limit, overflows) = length.addingReportingOverflow(leeway)
    if overflows { return value }
    if try interpreter.count(value) <= limit { return value }
    guard case .text(let text) = value else {
      throw TemplateError(.type, "'\(value.typeName)' object cannot be truncated")
    }
    let kept = Text(text.scalars[..<(length - mark.count)])
    if isTrue(values[1]) { return .text(kept + mark) }
    return .text(kept.splitFromBack(at: " ", limit: 1)[0] + mark)
  }
}

extension Interpreter {
  /// Refuses a replacement whose result would be too large before it is made.
  func checkReplacement(_ text: Text, _ old: Text, _ new: Text) throws {
    let found = (text.count + 1) / max(1, old.count)
    let (size, overflows) = found.multipliedReportingOverflow(by: new.count)
    if overflows || size > 64 * limits.size { throw tooLarge }
    try step(text.count / 16)
  }

  func indented(_ text: Text, _ width: Value, _ first: Bool, _ blank: Bool) throws -> Text {
    var indent: [Unicode.Scalar]
    if case .text(let written) = width {
      indent = written.scalars
    } else {
      let count = try Filters.integer(width)
      guard count <= limits.size else { throw tooLarge }
      indent = Array(repeating: " ", count: max(0, count))
    }
    let lines = (text + "\n").lines(keepingEnds: false)
    try step(lines.count + lines.count * indent.count / 16)
    guard lines.count * indent.count <= limits.size else { throw tooLarge }
    var result = lines.first?.scalars ?? []
    for line in lines.dropFirst() {
      result.append("\n")
      if blank || !line.isEmpty { result += indent }
      result += line.scalars
    }
    return try checked(Text(first ? indent + result : result, isMarkup: text.isMarkup))
  }

  /// Dictionaries in the order of their keys, where these can be compared.
  func orderedByKey(_ value: Value) throws -> Value {
    switch value {
    case .mapping(let mapping):
      let result = MappingValue()
      for (key, item) in try sorted(mapping.entries, key: \.key) {
        result.set(try HashKey(key), key, try deeper { try orderedByKey(item) })
      }
      return .mapping(result)
    case .list(let list): return .list(ListValue(try list.items.map { item in try deeper { try orderedByKey(item) } }))
    case .tuple(let tuple):
      return .tuple(TupleValue(try tuple.items.map { item in try deeper { try orderedByKey(item) } }))
    default: return value
    }
  }
}
