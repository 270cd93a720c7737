extension Interpreter {
  func evaluate(_ expression: Expression, _ frame: Frame) throws -> Value {
    try deeper {
      try step()
      do {
        return try value(expression, frame)
      } catch var error as TemplateError {
        if error.line == nil { error.line = expression.line }
        throw error
      }
    }
  }

  private func value(_ expression: Expression, _ frame: Frame) throws -> Value {
    switch expression.kind {
    case .constant(let constant): return constant.value
    case .name(let name): return frame[name] ?? .undefined(Undefined(name: name))
    case .list(let items): return .list(ListValue(try items.map { try evaluate($0, frame) }))
    case .tuple(let items): return .tuple(TupleValue(try items.map { try evaluate($0, frame) }))
    case .mapping(let items): return try mapping(items, frame)
    case .not(let operand): return .bool(!(try evaluate(operand, frame).isTrue))
    case .negate(let operand, let isMinus): return try negate(evaluate(operand, frame), isMinus: isMinus)
    case .and(let left, let right):
      let value = try evaluate(left, frame)
      return value.isTrue ? try evaluate(right, frame) : value
    case .or(let left, let right):
      let value = try evaluate(left, frame)
      return value.isTrue ? value : try evaluate(right, frame)
    case .arithmetic(let operation, let left, let right):
      let value = try evaluate(left, frame)
      return try combine(operation, value, evaluate(right, frame))
    case .concatenation(let parts):
      var result: [Unicode.Scalar] = []
      for part in try parts.map({ try evaluate($0, frame) }) {
        result += try text(part).scalars
        guard result.count <= limits.size else { throw tooLarge }
      }
      return .text(try checked(Text(result)))
    case .comparison(let first, let rest): return try comparison(first, rest, frame)
    case .attribute(let operand, let name): return try attribute(evaluate(operand, frame), name)
    case .item(let operand, let index): return try item(operand, index, frame)
    case .slice: throw TemplateError(.unsupported, "a slice among several indices is not supported")
    case .call: return try evaluate(call: expression, frame, caller: nil)
    case .filter: return try evaluate(filter: expression, frame, block: nil)
    case .test(let operand, let name, let arguments):
      let value = try evaluate(operand, frame)
      guard let test = Tests.all[name] else {
        throw TemplateError(.runtime, "No test named \(Text(name).quoted.string) found.")
      }
      return .bool(try test(self, value, self.arguments(arguments, frame)))
    case .condition(let test, let then, let otherwise):
      if try evaluate(test, frame).isTrue { return try evaluate(then, frame) }
      return try otherwise.map { try evaluate($0, frame) }
        ?? .undefined(
          Undefined(
            hint:
              "the inline if-expression on line \(expression.line) evaluated to false and no else section was defined.")
        )
    }
  }

  private func mapping(_ items: [(key: Expression, value: Expression)], _ frame: Frame) throws -> Value {
    let mapping = MappingValue()
    for item in items {
      let key = try evaluate(item.key, frame)
      let value = try evaluate(item.value, frame)
      mapping.set(try HashKey(key), key, value)
    }
    return .mapping(mapping)
  }

  private func comparison(_ first: Expression, _ rest: [(Comparison, Expression)], _ frame: Frame) throws -> Value {
    var left = try evaluate(first, frame)
    for (comparison, operand) in rest {
      let right = try evaluate(operand, frame)
      if !(try compare(comparison, left, right)) { return .bool(false) }
      left = right
    }
    return .bool(true)
  }

  private func item(_ operand: Expression, _ index: Expression, _ frame: Frame) throws -> Value {
    let value = try evaluate(operand, frame)
    guard case .slice(let start, let stop, let step) = index.kind else {
      return try item(value, evaluate(index, frame))
    }
    let bounds = try [start, stop, step].map { try $0.map { try evaluate($0, frame) } ?? .none }
    return try slice(value, bounds[0], bounds[1], bounds[2])
  }

  // MARK: - Calls

  func arguments(_ arguments: CallArguments, _ frame: Frame) throws -> Arguments {
    var result = Arguments(try arguments.positional.map { try evaluate($0, frame) })
    let list = try arguments.list.map { try evaluate($0, frame) }
    for (name, value) in arguments.named {
      guard !result.named.contains(where: { $0.name == name }) else {
        throw TemplateError(.syntax, "keyword argument repeated: \(name)")
      }
      result.named.append((name, try evaluate(value, frame)))
    }
    if let list {
      guard list.isIterable else {
        throw TemplateError(.type, "argument after * must be an iterable, not \(list.typeName)")
      }
      result.positional += try items(list)
    }
    if let expression = arguments.mapping { try add(evaluate(expression, frame), to: &result) }
    return result
  }

  private func add(_ value: Value, to arguments: inout Arguments) throws {
    guard case .mapping(let mapping) = value else {
      throw TemplateError(.type, "argument after ** must be a mapping, not \(value.typeName)")
    }
    for (key, value) in mapping.entries {
      guard case .text(let name) = key else { throw TemplateError(.type, "keywords must be strings") }
      guard !arguments.named.contains(where: { $0.name == name.string }) else {
        throw TemplateError(.type, "got multiple values for keyword argument '\(name.string)'")
      }
      arguments.named.append((name.string, value))
    }
  }

  /// - Parameter caller: the body of a call block.
  func evaluate(call expression: Expression, _ frame: Frame, caller: Macro?) throws -> Value {
    guard case .call(let operand, let arguments) = expression.kind else { return .none }
    let function = try evaluate(operand, frame)
    var values = try self.arguments(arguments, frame)
    if let caller {
      guard !values.named.contains(where: { $0.name == "caller" }) else {
        throw TemplateError(.type, "got multiple values for keyword argument 'caller'")
      }
      values.named.append(("caller", .macro(caller)))
    }
    return try call(function, values)
  }

  func call(_ function: Value, _ arguments: Arguments) throws -> Value {
    switch function {
    case .function(let function): return try function.call(self, arguments)
    case .macro(let macro): return try call(macro, arguments)
    case .undefined(let missing): throw missing.error
    case .loop(let loop):
      let items = try arguments.bound("__call__", ["iterable"], required: 1)
      guard let recurse = loop.recurse else {
        throw TemplateError(.type, "The loop must have the 'recursive' marker to be called recursively.")
      }
      return try recurse(items[0] ?? .none, loop.depth0 + 1)
    default: throw TemplateError(.type, "'\(function.typeName)' object is not callable")
    }
  }

  /// - Parameter block: what a block wrote, where the filter is of a block.
  func evaluate(filter expression: Expression, _ frame: Frame, block: Value?) throws -> Value {
    guard case .filter(let operand, let name, let arguments) = expression.kind else { return block ?? .none }
    let value: Value =
      if let operand {
        if block != nil { try evaluate(filter: operand, frame, block: block) } else { try evaluate(operand, frame) }
      } else {
        block ?? .none
      }
    guard let filter = Filters.all[name] else {
      throw TemplateError(.runtime, "No filter named \(Text(name).quoted.string) found.")
    }
    return try filter(self, value, self.arguments(arguments, frame))
  }

  // MARK: - Items

  func iterate(_ value: Value) throws -> ValueIterator {
    if case .iterator(let iterator) = value { return iterator }
    if case .loop(let loop) = value {
      return ValueIterator(of: value) { try loop.advance().map { .tuple(TupleValue([$0, value])) } }
    }
    guard let items = value.storedItems else {
      throw TemplateError(.type, "'\(value.typeName)' object is not iterable")
    }
    return ValueIterator(of: value, items: items)
  }

  func items(_ value: Value) throws -> [Value] {
    if let items = value.storedItems {
      try step(items.count / 16)
      return items
    }
    let iterator = try iterate(value)
    var items: [Value] = []
    while let item = try iterator.next() {
      try step()
      items.append(item)
      guard items.count <= limits.size else { throw tooLarge }
    }
    return items
  }

  func count(_ value: Value) throws -> Int {
    if case .loop(let loop) = value { return try loop.length() }
    guard let count = value.count else {
      throw TemplateError(.type, "object of type '\(value.typeName)' has no len()")
    }
    return count
  }
}
