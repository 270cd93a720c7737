extension Methods {
  static let texts: [String: Method<Text>] = [plain, tests, searches, editing, splitting].reduce(into: [:]) {
    $0.merge($1) { $1 }
  }

  private static func change(_ name: String, _ body: @escaping @Sendable (Text) -> Text) -> Method<Text> {
    { interpreter, text, arguments in
      _ = try arguments.unnamed(name, 0...0)
      return .text(try interpreter.checked(body(text)))
    }
  }

  private static let plain: [String: Method<Text>] = [
    "upper": change("upper") { $0.uppercased }, "lower": change("lower") { $0.lowercased },
    "title": change("title") { $0.titled }, "capitalize": change("capitalize") { $0.capitalized },
    "swapcase": change("swapcase") { $0.caseSwapped }, "casefold": change("casefold") { $0.caseFolded },
    "encode": unsupported("encode"), "translate": unsupported("translate"), "maketrans": unsupported("maketrans"),
    "unescape": unsupported("unescape"), "striptags": unsupported("striptags"),
  ]

  private static func all(_ name: String, _ test: @escaping @Sendable (Unicode.Scalar) -> Bool) -> Method<Text> {
    { _, text, arguments in
      _ = try arguments.unnamed(name, 0...0)
      return .bool(!text.isEmpty && text.scalars.allSatisfy(test))
    }
  }

  private static func fact(_ name: String, _ test: @escaping @Sendable (Text) -> Bool) -> Method<Text> {
    { _, text, arguments in
      _ = try arguments.unnamed(name, 0...0)
      return .bool(test(text))
    }
  }

  private static let tests: [String: Method<Text>] = [
    "isalpha": all("isalpha") { $0.isLetter }, "isdecimal": all("isdecimal") { $0.isDecimal },
    "isdigit": all("isdigit") { $0.isDigit }, "isnumeric": all("isnumeric") { $0.isNumeric },
    "isalnum": all("isalnum") { $0.isLetter || $0.isNumeric }, "isspace": all("isspace") { $0.isSpace },
    "islower": fact("islower") { $0.isLower }, "isupper": fact("isupper") { $0.isUpper },
    "istitle": fact("istitle") { $0.isTitle },
    "isascii": fact("isascii") { $0.scalars.allSatisfy(\.isASCII) },
    "isprintable": fact("isprintable") { $0.scalars.allSatisfy(\.isPrintable) },
    "isidentifier": fact("isidentifier") { text in
      guard let first = text.scalars.first else { return false }
      return (first == "_" || first.properties.isXIDStart)
        && text.scalars.allSatisfy { $0 == "_" || $0.properties.isXIDContinue }
    },
  ]

  /// Whether a text is at a place, for one text or any of a tuple.
  private static func fits(
    _ name: String, _ test: @escaping @Sendable (Text, Text, Range<Int>) -> Bool
  ) -> Method<Text> {
    { interpreter, text, arguments in
      let values = try arguments.unnamed(name, 1...3)
      let parts: [Value] = if case .tuple(let tuple) = values[0] { tuple.items } else { [values[0]] }
      let start = try interpreter.range(values.dropFirst(), text.count, isStrict: true)
      for part in parts {
        guard case .text(let part) = part else {
          throw TemplateError(
            .type, "\(name) first arg must be str or a tuple of str, not \(values[0].typeName)")
        }
        if let start = start.isReal ? start.range : nil, test(text, part, start) { return .bool(true) }
      }
      return .bool(false)
    }
  }

  private static func search(
    _ name: String, _ body: @escaping @Sendable (Text, Text, Range<Int>) -> Int?, isIndex: Bool
  ) -> Method<Text> {
    { interpreter, text, arguments in
      let values = try arguments.unnamed(name, 1...3)
      let part = try argument(name, values[0])
      let range = try interpreter.range(values.dropFirst(), text.count, isStrict: true)
      try interpreter.step(text.count / 16)
      if range.isReal, let found = body(text, part, range.range) { return Value(found) }
      if isIndex { throw TemplateError(.value, "substring not found") }
      return Value(-1)
    }
  }

  static func argument(_ name: String, _ value: Value) throws -> Text {
    guard case .text(let text) = value else {
      throw TemplateError(.type, "\(name)() argument must be str, not \(value.typeName)")
    }
    return text
  }

  private static let searches: [String: Method<Text>] = [
    "startswith": fits("startswith") { text, part, range in
      part.count <= range.count && text.starts(with: part.scalars, at: range.lowerBound)
    },
    "endswith": fits("endswith") { text, part, range in
      part.count <= range.count && text.starts(with: part.scalars, at: range.upperBound - part.count)
    },
    "find": search("find", { $0.first($1, in: $2) }, isIndex: false),
    "rfind": search("rfind", { $0.last($1, in: $2) }, isIndex: false),
    "index": search("index", { $0.first($1, in: $2) }, isIndex: true),
    "rindex": search("rindex", { $0.last($1, in: $2) }, isIndex: true),
    "count": { interpreter, text, arguments in
      let values = try arguments.unnamed("count", 1...3)
      let part = try argument("count", values[0])
      let range = try interpreter.range(values.dropFirst(), text.count, isStrict: true)
      return Value(range.isReal ? text.occurrences(of: part, in: range.range) : 0)
    },
  ]
}

extension Interpreter {
  /// A part of a text or list, by a start and a stop as in a slice.
  func range(_ bounds: ArraySlice<Value>, _ count: Int) throws -> Range<Int> {
    try range(bounds, count, isStrict: false).range
  }

  /// - Returns: with `isReal` whether the start is not behind the stop; an empty text is found elsewhere only.
  func range(_ bounds: ArraySlice<Value>, _ count: Int, isStrict: Bool) throws -> (range: Range<Int>, isReal: Bool) {
    func place(_ value: Value?, _ standard: Int) throws -> Int {
      guard let value, !value.isNone else { return standard }
      guard let integer = value.asInteger else {
        throw TemplateError(.type, "slice indices must be integers or None or have an __index__ method")
      }
      let index = integer.clamped
      return index < 0 ? max(0, index < -count ? 0 : index + count) : index
    }
    let start = try place(bounds.first, 0)
    let stop = min(try place(bounds.dropFirst().first, count), count)
    let isReal = start <= stop
    return (min(start, stop)..<stop, isReal)
  }
}
