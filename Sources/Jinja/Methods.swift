/// Attributes and methods of Python's types.
enum Methods {
  typealias Method<T> = @Sendable (Interpreter, T, Arguments) throws -> Value

  /// An attribute of a value; nil where its type has none of that name.
  static func attribute(_ value: Value, _ name: String) throws -> Value? {
    func bound<T>(_ method: Method<T>?, _ own: T) -> Value? {
      method.map { method in .function(Function(name, of: value) { try method($0, own, $1) }) }
    }
    switch value {
    case .text(let text): return bound(texts[name], text)
    case .list(let list): return name == "copy" ? copy(value, name) : bound(sequences[name], list.items)
    case .tuple(let tuple):
      if let index = tuple.names.firstIndex(of: name) { return tuple.items[index] }
      return bound(sequences[name], tuple.items)
    case .mapping(let mapping): return name == "copy" ? copy(value, name) : bound(mappings[name], mapping)
    case .view(let view) where name == "mapping": return .mapping(view.mapping)
    case .range(let range): return self.range(range, name) ?? bound(sequences[name], value.storedItems ?? [])
    case .bool, .integer: return value.asInteger.flatMap { integer($0, name) ?? bound(integers[name], $0) }
    case .double(let number): return double(number, name)
    case .macro(let macro): return self.macro(macro, name)
    case .namespace(let namespace): return namespace.members[name]
    case .loop(let loop): return try self.loop(loop, name)
    case .cycler(let cycler): return self.cycler(cycler, name)
    case .function(let function): return function.type == "TemplateDict" && name == "fromkeys" ? fromKeys : nil
    default: return nil
    }
  }

  private static func copy(_ value: Value, _ name: String) -> Value {
    .function(
      Function(name, of: value) { _, arguments in
        _ = try arguments.unnamed(name, 0...0)
        switch value {
        case .list(let list): return .list(ListValue(list.items))
        default: return value
        }
      })
  }

  private static func method(_ name: String, _ body: @escaping (Interpreter, Arguments) throws -> Value) -> Value {
    .function(Function(name, type: "method", body))
  }

  // MARK: - Lists and dictionaries

  private static let sequences: [String: Method<[Value]>] = [
    "count": { interpreter, items, arguments in
      let item = try arguments.unnamed("count", 1...1)[0]
      return Value(try items.count { try $0.isSame(as: item) || interpreter.equal($0, item) })
    },
    "index": { interpreter, items, arguments in
      let values = try arguments.unnamed("index", 1...3)
      let range = try interpreter.range(values.dropFirst(), items.count)
      for index in range where try items[index].isSame(as: values[0]) || interpreter.equal(items[index], values[0]) {
        return Value(index)
      }
      throw TemplateError(.value, "\(try interpreter.representation(values[0]).string) is not in list")
    },
  ]

  private static let mappings: [String: Method<MappingValue>] = [
    "keys": { _, mapping, arguments in
      _ = try arguments.unnamed("keys", 0...0)
      return .view(MappingView(part: .keys, mapping: mapping))
    },
    "values": { _, mapping, arguments in
      _ = try arguments.unnamed("values", 0...0)
      return .view(MappingView(part: .values, mapping: mapping))
    },
    "items": { _, mapping, arguments in
      _ = try arguments.unnamed("items", 0...0)
      return .view(MappingView(part: .items, mapping: mapping))
    },
    "get": { _, mapping, arguments in
      let values = try arguments.unnamed("get", 1...2)
      return mapping[try HashKey(values[0])] ?? (values.count > 1 ? values[1] : .none)
    },
    "fromkeys": { interpreter, _, arguments in try keyed(interpreter, arguments) },
  ]

  private static func keyed(_ interpreter: Interpreter, _ arguments: Arguments) throws -> Value {
    let values = try arguments.unnamed("fromkeys", 1...2)
    let mapping = MappingValue()
    for key in try interpreter.items(values[0]) {
      mapping.set(try HashKey(key), key, values.count > 1 ? values[1] : .none)
    }
    return .mapping(mapping)
  }

  private static var fromKeys: Value { method("fromkeys") { try keyed($0, $1) } }

  private static func range(_ range: RangeValue, _ name: String) -> Value? {
    switch name {
    case "start": .integer(range.start)
    case "stop": .integer(range.stop)
    case "step": .integer(range.step)
    default: nil
    }
  }

  // MARK: - Numbers

  private static func integer(_ integer: Integer, _ name: String) -> Value? {
    switch name {
    case "real", "numerator": .integer(integer)
    case "imag": Value(0)
    case "denominator": Value(1)
    default: nil
    }
  }

  private static let integers: [String: Method<Integer>] = [
    "bit_length": { _, integer, arguments in
      _ = try arguments.unnamed("bit_length", 0...0)
      return Value(integer.bitWidth)
    },
    "bit_count": { _, integer, arguments in
      _ = try arguments.unnamed("bit_count", 0...0)
      return Value(integer.digits.reduce(0) { $0 + $1.nonzeroBitCount })
    },
    "conjugate": { _, integer, arguments in
      _ = try arguments.unnamed("conjugate", 0...0)
      return .integer(integer)
    },
    "as_integer_ratio": { _, integer, arguments in
      _ = try arguments.unnamed("as_integer_ratio", 0...0)
      return .tuple(TupleValue([.integer(integer), Value(1)]))
    },
    "to_bytes": unsupported("to_bytes"), "from_bytes": unsupported("from_bytes"),
  ]

  static func unsupported<T>(_ name: String) -> Method<T> {
    { _, _, _ in throw TemplateError(.unsupported, "the method '\(name)' is not supported") }
  }

  private static func double(_ number: Double, _ name: String) -> Value? {
    switch name {
    case "real": .double(number)
    case "imag": .double(0)
    case "is_integer": method(name) { _, _ in .bool(number.isFinite && number == number.rounded()) }
    case "conjugate": method(name) { _, _ in .double(number) }
    case "hex", "fromhex", "as_integer_ratio":
      method(name) { _, _ in throw TemplateError(.unsupported, "the method '\(name)' is not supported") }
    default: nil
    }
  }

  // MARK: - Jinja's own objects

  private static func macro(_ macro: Macro, _ name: String) -> Value? {
    switch name {
    case "name": macro.name.map { Value($0) } ?? Value.none
    case "arguments": .tuple(TupleValue(macro.parameters.map { Value($0.name) }))
    case "catch_kwargs": .bool(macro.special.contains("kwargs"))
    case "catch_varargs": .bool(macro.special.contains("varargs"))
    case "caller": .bool(macro.special.contains("caller"))
    case "explicit_caller": .bool(macro.parameters.contains { $0.name == "caller" })
    default: nil
    }
  }

  static func loop(_ loop: LoopState, _ name: String) throws -> Value? {
    switch name {
    case "index": Value(loop.index0 + 1)
    case "index0": Value(loop.index0)
    case "first": .bool(loop.index0 == 0)
    case "last": .bool(try loop.peek() == nil)
    case "length": Value(try loop.length())
    case "revindex": Value(try loop.length() - loop.index0)
    case "revindex0": Value(try loop.length() - loop.index0 - 1)
    case "depth": Value(loop.depth0 + 1)
    case "depth0": Value(loop.depth0)
    case "previtem":
      loop.index0 == 0
        ? .undefined(Undefined(hint: "there is no previous item"))
        : loop.previous ?? .undefined(Undefined(hint: "there is no previous item"))
    case "nextitem": try loop.peek() ?? .undefined(Undefined(hint: "there is no next item"))
    case "cycle":
      method(name) { _, arguments in
        guard !arguments.positional.isEmpty else { throw TemplateError(.type, "no items for cycling given") }
        let count = arguments.positional.count
        return arguments.positional[((loop.index0 % count) + count) % count]
      }
    case "changed":
      method(name) { interpreter, arguments in
        let values = arguments.positional
        if let last = loop.lastChanged, try interpreter.equal(Value(last), Value(values)) { return .bool(false) }
        loop.lastChanged = values
        return .bool(true)
      }
    default: nil
    }
  }

  private static func cycler(_ cycler: Cycler, _ name: String) -> Value? {
    switch name {
    case "current": cycler.items[cycler.position]
    case "pos": Value(cycler.position)
    case "items": .tuple(TupleValue(cycler.items))
    case "next":
      method(name) { _, _ in
        defer { cycler.position = (cycler.position + 1) % cycler.items.count }
        return cycler.items[cycler.position]
      }
    case "reset":
      method(name) { _, _ in
        cycler.position = 0
        return .none
      }
    default: nil
    }
  }
}
