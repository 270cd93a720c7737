extension Filters {
  static let listSelection: [String: Filter] = [
    "map": { interpreter, value, arguments in
      var get: ((Value) throws -> Value)?
      return try lazily(interpreter, value) { item in
        let function = try get ?? mapped(interpreter, arguments)
        get = function
        return try function(item)
      }
    },
    "select": { try selected($0, $1, $2, keeps: true, hasAttribute: false) },
    "reject": { try selected($0, $1, $2, keeps: false, hasAttribute: false) },
    "selectattr": { try selected($0, $1, $2, keeps: true, hasAttribute: true) },
    "rejectattr": { try selected($0, $1, $2, keeps: false, hasAttribute: true) },
  ]

  /// An iterator that makes its items when they are asked for; what is empty or false has none.
  private static func lazily(
    _ interpreter: Interpreter, _ value: Value, prepare: @escaping () throws -> Void = {},
    _ body: @escaping (Value) throws -> Value?
  ) throws -> Value {
    var source: ValueIterator?
    return .iterator(
      ValueIterator(of: value) {
        if source == nil {
          guard value.isTrue else { return nil }
          try prepare()
        }
        let items = try source ?? interpreter.iterate(value)
        source = items
        while let item = try interpreter.deeper({ try items.next() }) {
          try interpreter.step()
          if let result = try interpreter.deeper({ try body(item) }) { return result }
        }
        return nil
      })
  }

  private static func mapped(_ interpreter: Interpreter, _ arguments: Arguments) throws -> (Value) throws -> Value {
    if arguments.positional.isEmpty, let attribute = arguments.named.first(where: { $0.name == "attribute" }) {
      if let other = arguments.named.first(where: { $0.name != "attribute" && $0.name != "default" }) {
        throw TemplateError(.filterArgument, "Unexpected keyword argument \(Text(other.name).quoted.string)")
      }
      let standard = given(arguments.named.first { $0.name == "default" }?.value)
      return try getter(interpreter, attribute.value, standard: standard)
    }
    guard let name = arguments.positional.first else {
      throw TemplateError(.filterArgument, "map requires a filter argument")
    }
    let written = try named(name, "filter")
    let rest = Arguments(Array(arguments.positional.dropFirst()), named: arguments.named)
    return { item in
      guard let filter = all[written] else {
        throw TemplateError(.runtime, "No filter named \(Text(written).quoted.string).")
      }
      return try interpreter.deeper { try filter(interpreter, item, rest) }
    }
  }

  private static func selected(
    _ interpreter: Interpreter, _ value: Value, _ arguments: Arguments, keeps: Bool, hasAttribute: Bool
  ) throws -> Value {
    var passes: ((Value) throws -> Bool)?
    return try lazily(
      interpreter, value,
      prepare: { passes = try self.condition(interpreter, arguments, hasAttribute) },
      { item in try passes?(item) == keeps ? item : nil })
  }

  private static func condition(
    _ interpreter: Interpreter, _ arguments: Arguments, _ hasAttribute: Bool
  ) throws -> (Value) throws -> Bool {
    var get: (Value) throws -> Value = { $0 }
    if hasAttribute {
      guard let attribute = arguments.positional.first else {
        throw TemplateError(.filterArgument, "Missing parameter for attribute name")
      }
      get = try getter(interpreter, attribute)
    }
    let offset = hasAttribute ? 1 : 0
    guard arguments.positional.count > offset else { return { try get($0).isTrue } }
    let name = try named(arguments.positional[offset], "test")
    let rest = Arguments(Array(arguments.positional.dropFirst(offset + 1)), named: arguments.named)
    return { item in
      let value = try get(item)
      guard let test = Tests.all[name] else {
        throw TemplateError(.runtime, "No test named \(Text(name).quoted.string).")
      }
      return try test(interpreter, value, rest)
    }
  }
}
