/// Names that every template has.
enum Globals {
  static let all: [String: @Sendable () -> Value] = [
    "range": { .function(Function("range", type: "function", makeRange)) },
    "dict": { .function(Function("dict", type: "TemplateDict", makeMapping)) },
    "namespace": { .function(Function("namespace", type: "type", makeNamespace)) },
    "cycler": { .function(Function("cycler", type: "type", makeCycler)) },
    "joiner": { .function(Function("joiner", type: "type", makeJoiner)) },
    "lipsum": {
      .function(
        Function("lipsum", type: "function") { _, _ in
          throw TemplateError(.unsupported, "'lipsum' makes random text and is not supported")
        })
    },
    "raise_exception": { .function(Function("raise_exception", type: "function", raise)) },
    "strftime_now": {
      .function(
        Function("strftime_now", type: "function") { interpreter, arguments in
          let format = try arguments.bound("strftime_now", ["format"], required: 1)[0] ?? .none
          guard case .text(let text) = format else {
            throw TemplateError(.type, "strftime() argument 1 must be str, not \(format.typeName)")
          }
          return .text(Text(try interpreter.clock.formatted(text.scalars)))
        })
    },
  ]

  private static func raise(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    let message = try arguments.bound("raise_exception", ["message"], required: 1)[0] ?? .none
    throw TemplateError(.raised, try interpreter.text(message).string)
  }

  private static func makeRange(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    let values = try arguments.unnamed("range", 1...3)
    let bounds = try values.map { value -> Integer in
      if case .undefined = value {
        throw TemplateError(.type, "'Undefined' object cannot be interpreted as an integer")
      }
      guard let integer = value.asInteger else {
        throw TemplateError(.type, "'\(value.typeName)' object cannot be interpreted as an integer")
      }
      return integer
    }
    let step = bounds.count > 2 ? bounds[2] : Integer(1)
    if step.isZero { throw TemplateError(.value, "range() arg 3 must not be zero") }
    let range =
      bounds.count == 1 ? RangeValue(Integer(0), bounds[0], step) : RangeValue(bounds[0], bounds[1], step)
    guard range.count <= Limits.range else {
      throw TemplateError(
        .overflow, "Range too big. The sandbox blocks ranges larger than MAX_RANGE (\(Limits.range)).")
    }
    return .range(range)
  }

  private static func makeMapping(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    guard arguments.positional.count <= 1 else {
      throw TemplateError(.type, "dict expected at most 1 argument, got \(arguments.positional.count)")
    }
    if case .undefined(let missing)? = arguments.positional.first { throw missing.error }
    let mapping = MappingValue()
    if case .mapping(let other)? = arguments.positional.first {
      for (key, value) in other.entries { mapping.set(try HashKey(key), key, value) }
    } else if let pairs = arguments.positional.first {
      for pair in try interpreter.items(pairs) {
        let items = try interpreter.items(pair)
        guard items.count == 2 else {
          throw TemplateError(.value, "dictionary update sequence element has length \(items.count); 2 is required")
        }
        mapping.set(try HashKey(items[0]), items[0], items[1])
      }
    }
    for (name, value) in arguments.named { mapping.set(.text(Text(name)), .text(Text(name)), value) }
    return .mapping(mapping)
  }

  private static func makeNamespace(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    guard case .mapping(let members) = try makeMapping(interpreter, arguments) else { return .none }
    for (key, _) in members.entries { try Namespace.check(key) }
    let namespace = Namespace()
    namespace.members = members
    interpreter.keep(namespace)
    return .namespace(namespace)
  }

  private static func makeCycler(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    guard !arguments.positional.isEmpty else {
      throw TemplateError(arguments.named.isEmpty ? .runtime : .type, "at least one item has to be provided")
    }
    return .cycler(Cycler(arguments.positional))
  }

  private static func makeJoiner(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    let separator = try arguments.bound("joiner", ["sep"])[0] ?? Value(", ")
    var isFirst = true
    return .function(
      Function("joiner", type: "Joiner", of: separator) { _, _ in
        defer { isFirst = false }
        return isFirst ? Value("") : separator
      })
  }
}
