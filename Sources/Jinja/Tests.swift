/// What `is` asks.
enum Tests {
  typealias Test = @Sendable (Interpreter, Value, Arguments) throws -> Bool

  static let all: [String: Test] = types.merging(values) { $1 }.merging(comparisons) { $1 }

  private static func simple(_ name: String, _ test: @escaping @Sendable (Value) throws -> Bool) -> Test {
    { _, value, arguments in
      _ = try arguments.bound("test_\(name)", [])
      return try test(value)
    }
  }

  private static let types: [String: Test] = [
    "defined": simple("defined") { !$0.isUndefined },
    "undefined": simple("undefined") { $0.isUndefined },
    "none": simple("none") { $0.isNone },
    "boolean": simple("boolean") { if case .bool = $0 { true } else { false } },
    "true": simple("true") { if case .bool(true) = $0 { true } else { false } },
    "false": simple("false") { if case .bool(false) = $0 { true } else { false } },
    "integer": simple("integer") { if case .integer = $0 { true } else { false } },
    "float": simple("float") { if case .double = $0 { true } else { false } },
    "number": simple("number") { $0.asDouble != nil },
    "string": simple("string") { $0.isText },
    "mapping": simple("mapping") { if case .mapping = $0 { true } else { false } },
    "iterable": simple("iterable") { $0.isIterable },
    "sequence": simple("sequence") { value in
      switch value {
      case .undefined, .text, .list, .tuple, .mapping, .range: true
      default: false
      }
    },
    "callable": simple("callable") { $0.isCallable },
    "escaped": simple("escaped") { if case .text(let text) = $0 { text.isMarkup } else { false } },
  ]

  private static let values: [String: Test] = [
    "odd": { interpreter, value, arguments in
      _ = try arguments.bound("test_odd", [])
      let rest = try interpreter.combine(.remainder, value, Value(2))
      return try interpreter.equal(rest, Value(1))
    },
    "even": { interpreter, value, arguments in
      _ = try arguments.bound("test_even", [])
      return try interpreter.equal(interpreter.combine(.remainder, value, Value(2)), Value(0))
    },
    "divisibleby": { interpreter, value, arguments in
      let divisor = try arguments.bound("test_divisibleby", ["num"], required: 1)[0] ?? .none
      return try interpreter.equal(interpreter.combine(.remainder, value, divisor), Value(0))
    },
    "lower": { interpreter, value, arguments in
      _ = try arguments.bound("test_lower", [])
      return try interpreter.text(value).isLower
    },
    "upper": { interpreter, value, arguments in
      _ = try arguments.bound("test_upper", [])
      return try interpreter.text(value).isUpper
    },
    "sameas": { _, value, arguments in
      value.isSame(as: try arguments.bound("test_sameas", ["other"], required: 1)[0] ?? .none)
    },
    "in": { interpreter, value, arguments in
      try interpreter.contains(arguments.bound("test_in", ["seq"], required: 1)[0] ?? .none, value)
    },
    "filter": { _, value, arguments in
      _ = try arguments.bound("test_filter", [])
      _ = try HashKey(value)
      if case .text(let name) = value { return Filters.all[name.string] != nil }
      return false
    },
    "test": { _, value, arguments in
      _ = try arguments.bound("test_test", [])
      _ = try HashKey(value)
      if case .text(let name) = value { return names.contains(name.string) }
      return false
    },
  ]

  /// Names alone, as a test that asks for tests cannot read the table that it is in.
  private static let names = Set(types.keys).union(comparisons.keys).union([
    "odd", "even", "divisibleby", "lower", "upper", "sameas", "in", "filter", "test",
  ])

  private static let comparisons: [String: Test] = [
    "==": comparison(.equal), "eq": comparison(.equal), "equalto": comparison(.equal),
    "!=": comparison(.notEqual), "ne": comparison(.notEqual),
    ">": comparison(.greater), "gt": comparison(.greater), "greaterthan": comparison(.greater),
    ">=": comparison(.greaterOrEqual), "ge": comparison(.greaterOrEqual),
    "<": comparison(.less), "lt": comparison(.less), "lessthan": comparison(.less),
    "<=": comparison(.lessOrEqual), "le": comparison(.lessOrEqual),
  ]

  private static func comparison(_ comparison: Comparison) -> Test {
    { interpreter, value, arguments in
      try interpreter.compare(comparison, value, arguments.unnamed("comparison", 1...1)[0])
    }
  }
}
