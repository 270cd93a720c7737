extension Methods {
  private static func strip(_ name: String, _ side: Text.Side) -> Method<Text> {
    { _, text, arguments in
      guard let characters = try arguments.unnamed(name, 0...1).first, !characters.isNone else {
        return .text(text.trimmed(nil, side))
      }
      guard case .text(let set) = characters else { throw TemplateError(.type, "\(name) arg must be None or str") }
      return .text(text.trimmed(set, side))
    }
  }

  private static func pad(
    _ name: String, _ body: @escaping @Sendable (Text, Int, Unicode.Scalar) -> Text
  ) -> Method<Text> {
    { interpreter, text, arguments in
      let values = try arguments.unnamed(name, 1...2)
      let width = try Filters.integer(values[0])
      guard width <= interpreter.limits.size else { throw interpreter.tooLarge }
      let fill = try values.count > 1 ? argument(name, values[1]) : " "
      guard fill.count == 1 else {
        throw TemplateError(.type, "The fill character must be exactly one character long")
      }
      return .text(try interpreter.checked(body(text, width, fill.scalars[0])))
    }
  }

  static let editing: [String: Method<Text>] = [
    "strip": strip("strip", .both), "lstrip": strip("lstrip", .front), "rstrip": strip("rstrip", .back),
    "center": pad("center") { Filters.centered($0, $1, $2) },
    "ljust": pad("ljust") { $0 + Text(Array(repeating: $2, count: max(0, $1 - $0.count))) },
    "rjust": pad("rjust") { Text(Array(repeating: $2, count: max(0, $1 - $0.count))) + $0 },
    "zfill": { interpreter, text, arguments in
      let width = try Filters.integer(arguments.unnamed("zfill", 1...1)[0])
      guard width <= interpreter.limits.size else { throw interpreter.tooLarge }
      let zeros = Array(repeating: Unicode.Scalar("0"), count: max(0, width - text.count))
      let hasSign = text.scalars.first == "+" || text.scalars.first == "-"
      return .text(Text(text.scalars.prefix(hasSign ? 1 : 0) + zeros + text.scalars.dropFirst(hasSign ? 1 : 0)))
    },
    "replace": { interpreter, text, arguments in
      let values = try arguments.bound("replace", ["old", "new", "count"], required: 2)
      let old = try argument("replace", values[0] ?? .none)
      let new = try argument("replace", values[1] ?? .none)
      try interpreter.checkReplacement(text, old, new)
      let limit = try values[2].map(Filters.integer) ?? -1
      return .text(try interpreter.checked(text.replacing(old, with: new, limit: limit)))
    },
    "removeprefix": { _, text, arguments in
      let part = try argument("removeprefix", arguments.unnamed("removeprefix", 1...1)[0])
      return .text(text.starts(with: part.scalars, at: 0) ? Text(text.scalars[part.count...]) : text)
    },
    "removesuffix": { _, text, arguments in
      let part = try argument("removesuffix", arguments.unnamed("removesuffix", 1...1)[0])
      let start = text.count - part.count
      return .text(!part.isEmpty && text.starts(with: part.scalars, at: start) ? Text(text.scalars[..<start]) : text)
    },
    "expandtabs": { interpreter, text, arguments in
      let width = try arguments.bound("expandtabs", ["tabsize"])[0].map(Filters.integer) ?? 8
      guard width <= 10_000 else { throw interpreter.tooLarge }
      return .text(try interpreter.checked(expanded(text, width)))
    },
    "join": { interpreter, text, arguments in
      let items = try arguments.unnamed("join", 1...1)[0]
      guard items.isIterable else { throw TemplateError(.type, "can only join an iterable") }
      var index = 0
      return .text(
        try interpreter.joined(interpreter.iterate(items), text) { item in
          guard case .text(let text) = item else {
            throw TemplateError(.type, "sequence item \(index): expected str instance, \(item.typeName) found")
          }
          index += 1
          return text
        })
    },
    "format": { interpreter, text, arguments in .text(try interpreter.braceFormat(text, arguments)) },
    "format_map": { interpreter, text, arguments in
      guard case .mapping(let mapping) = try arguments.unnamed("format_map", 1...1)[0] else {
        throw TemplateError(.type, "format_map() argument must be a mapping")
      }
      let named = mapping.entries.compactMap { entry -> (name: String, value: Value)? in
        if case .text(let name) = entry.key { (name.string, entry.value) } else { nil }
      }
      return .text(try interpreter.braceFormat(text, Arguments([], named: named)))
    },
  ]

  private static func expanded(_ text: Text, _ width: Int) -> Text {
    var result: [Unicode.Scalar] = []
    var column = 0
    for scalar in text.scalars {
      if scalar == "\t" {
        let count = width > 0 ? width - column % width : 0
        result += Array(repeating: " ", count: count)
        column += count
      } else {
        result.append(scalar)
        column = scalar == "\n" || scalar == "\r" ? 0 : column + 1
      }
    }
    return Text(result)
  }

  private static func split(
    _ name: String, _ atSpace: @escaping @Sendable (Text, Int) -> [Text],
    _ atText: @escaping @Sendable (Text, Text, Int) -> [Text]
  ) -> Method<Text> {
    { interpreter, text, arguments in
      let values = try arguments.bound(name, ["sep", "maxsplit"])
      let limit = try values[1].map(Filters.integer) ?? -1
      try interpreter.step(text.count / 16)
      guard let separator = Filters.given(values[0]) else {
        return Value(atSpace(text, limit < 0 ? -1 : limit).map { .text($0) })
      }
      guard case .text(let written) = separator else {
        throw TemplateError(.type, "must be str or None, not \(separator.typeName)")
      }
      if written.isEmpty { throw TemplateError(.value, "empty separator") }
      return Value(atText(text, written, limit < 0 ? -1 : limit).map { .text($0) })
    }
  }

  private static func partition(_ name: String, isFromBack: Bool) -> Method<Text> {
    { _, text, arguments in
      let separator = try argument(name, arguments.unnamed(name, 1...1)[0])
      if separator.isEmpty { throw TemplateError(.value, "empty separator") }
      let place = isFromBack ? text.last(separator, in: 0..<text.count) : text.first(separator, in: 0..<text.count)
      guard let place else {
        let empty = Value("")
        return .tuple(TupleValue(isFromBack ? [empty, empty, .text(text)] : [.text(text), empty, empty]))
      }
      return .tuple(
        TupleValue([
          .text(Text(text.scalars[..<place])), .text(separator),
          .text(Text(text.scalars[(place + separator.count)...])),
        ]))
    }
  }

  static let splitting: [String: Method<Text>] = [
    "split": split("split", { $0.splitAtSpace(limit: $1) }, { $0.split(at: $1, limit: $2) }),
    "rsplit": split("rsplit", { $0.splitAtSpaceFromBack(limit: $1) }, { $0.splitFromBack(at: $1, limit: $2) }),
    "partition": partition("partition", isFromBack: false),
    "rpartition": partition("rpartition", isFromBack: true),
    "splitlines": { _, text, arguments in
      let keeps = Filters.isTrue(try arguments.bound("splitlines", ["keepends"])[0])
      return Value(text.lines(keepingEnds: keeps).map { .text($0) })
    },
  ]
}
