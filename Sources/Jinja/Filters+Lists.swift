extension Filters {
  static let listFilters: [String: Filter] = [
    "default": standard, "d": standard, "length": length, "count": length,
    "list": { interpreter, value, arguments in
      _ = try arguments.bound("do_list", [])
      return .list(ListValue(try interpreter.items(value)))
    },
    "first": { interpreter, value, arguments in
      _ = try arguments.bound("do_first", [])
      return try interpreter.iterate(value).next()
        ?? .undefined(Undefined(hint: "No first item, sequence was empty."))
    },
    "last": { interpreter, value, arguments in
      _ = try arguments.bound("do_last", [])
      guard let items = value.storedItems else {
        throw TemplateError(.type, "'\(value.typeName)' object is not reversible")
      }
      return items.last ?? .undefined(Undefined(hint: "No last item, sequence was empty."))
    },
    "join": { interpreter, value, arguments in
      let values = try arguments.bound("do_join", ["d", "attribute"])
      let get = try getter(interpreter, values[1])
      let separator = try interpreter.text(values[0] ?? Value(""))
      let items = try interpreter.iterate(value)
      return .text(try interpreter.joined(items, separator) { try interpreter.text(get($0)) })
    },
    "items": { _, value, arguments in
      _ = try arguments.bound("do_items", [])
      switch value {
      case .undefined: return .iterator(ValueIterator(of: value, items: []))
      case .mapping(let mapping):
        return .iterator(ValueIterator(of: value, items: MappingView(part: .items, mapping: mapping).items))
      default:
        return .iterator(ValueIterator { throw TemplateError(.type, "Can only get item pairs from a mapping.") })
      }
    },
    "attr": { interpreter, value, arguments in
      let name = try arguments.bound("do_attr", ["name"], required: 1)[0] ?? .none
      guard case .text(let text) = name else {
        throw TemplateError(.type, "attribute name must be string, not '\(name.typeName)'")
      }
      if let found = try interpreter.ownAttribute(value, text.string) { return found }
      return .undefined(
        Undefined(hint: "\(Text(value.objectName).quoted.string) has no attribute \(text.quoted.string)"))
    },
  ]

  private static let standard: Filter = { _, value, arguments in
    let values = try arguments.bound("do_default", ["default_value", "boolean"])
    if value.isUndefined || isTrue(values[1]) && !value.isTrue { return values[0] ?? Value("") }
    return value
  }

  private static let length: Filter = { interpreter, value, arguments in
    _ = try arguments.unnamed("len", 0...0)
    return Value(try interpreter.count(value))
  }

  static let listOrder: [String: Filter] = [
    "reverse": { interpreter, value, arguments in
      _ = try arguments.bound("do_reverse", [])
      if case .text(let text) = value { return .text(Text(text.scalars.reversed(), isMarkup: text.isMarkup)) }
      if let items = value.storedItems {
        return .iterator(ValueIterator("\(value.typeName)_reverseiterator", of: value, items: items.reversed()))
      }
      guard value.isIterable else { throw TemplateError(.filterArgument, "argument must be iterable") }
      return .list(ListValue(try interpreter.items(value).reversed()))
    },
    "sort": { interpreter, value, arguments in
      let values = try arguments.bound("do_sort", ["reverse", "case_sensitive", "attribute"])
      return .list(ListValue(try sorted(interpreter, value, values)))
    },
    "dictsort": { interpreter, value, arguments in
      let values = try arguments.bound("do_dictsort", ["case_sensitive", "by", "reverse"])
      guard case .text(let by) = values[1] ?? Value("key"), ["key", "value"].contains(by.string) else {
        throw TemplateError(.filterArgument, "You can only sort by either \"key\" or \"value\"")
      }
      let (ignoresCase, part) = (!isTrue(values[0]), by == "key" ? 0 : 1)
      guard case .mapping(let mapping) = value else {
        return try interpreter.call(interpreter.attribute(value, "items"), Arguments())
      }
      let items = try interpreter.sorted(
        mapping.entries,
        key: { entry in
          let key = part == 0 ? entry.key : entry.value
          if ignoresCase, case .text(let text) = key { return .text(text.lowercased) }
          return key
        }, reverse: isTrue(values[2]))
      return .list(ListValue(items.map { .tuple(TupleValue([$0.key, $0.value])) }))
    },
    "unique": { interpreter, value, arguments in
      let values = try arguments.bound("do_unique", ["case_sensitive", "attribute"])
      let get = try getter(interpreter, values[1], ignoresCase: !isTrue(values[0]))
      var items: ValueIterator?
      var seen: Set<HashKey> = []
      return .iterator(
        ValueIterator(of: value) {
          let source = try items ?? interpreter.iterate(value)
          items = source
          while let item = try source.next() {
            try interpreter.step()
            if seen.insert(try HashKey(get(item))).inserted { return item }
          }
          return nil
        })
    },
    "min": { interpreter, value, arguments in try extreme(interpreter, value, arguments, isMaximum: false) },
    "max": { interpreter, value, arguments in try extreme(interpreter, value, arguments, isMaximum: true) },
    "sum": { interpreter, value, arguments in
      let values = try arguments.bound("do_sum", ["attribute", "start"])
      let get = try getter(interpreter, values[0])
      var total = values[1] ?? Value(0)
      if total.isText { throw TemplateError(.type, "sum() can't sum strings [use ''.join(seq) instead]") }
      let items = try interpreter.iterate(value)
      while let item = try items.next() { total = try interpreter.combine(.add, total, get(item)) }
      return total
    },
  ]

  private static func sorted(_ interpreter: Interpreter, _ value: Value, _ values: [Value?]) throws -> [Value] {
    let ignoresCase = !isTrue(values[1])
    var attributes: [Value?] = [values[2]]
    if case .text(let text)? = values[2] { attributes = text.split(at: ",", limit: -1).map { .text($0) } }
    let getters = try attributes.map { try getter(interpreter, $0, ignoresCase: ignoresCase) }
    return try interpreter.sorted(
      interpreter.items(value), key: { item in Value(try getters.map { try $0(item) }) }, reverse: isTrue(values[0]))
  }

  private static func extreme(
    _ interpreter: Interpreter, _ value: Value, _ arguments: Arguments, isMaximum: Bool
  ) throws -> Value {
    let values = try arguments.bound(isMaximum ? "do_max" : "do_min", ["case_sensitive", "attribute"])
    let get = try getter(interpreter, values[1], ignoresCase: !isTrue(values[0]))
    let items = try interpreter.iterate(value)
    guard var best = try items.next() else {
      return .undefined(Undefined(hint: "No aggregated item, sequence was empty."))
    }
    var bestKey = try get(best)
    while let item = try items.next() {
      let key = try get(item)
      if try interpreter.compare(isMaximum ? .greater : .less, key, bestKey) { (best, bestKey) = (item, key) }
    }
    return best
  }
}

extension Interpreter {
  func joined(_ items: ValueIterator, _ separator: Text, _ text: (Value) throws -> Text) throws -> Text {
    var result: [Unicode.Scalar] = []
    var isFirst = true
    while let item = try items.next() {
      try step()
      if !isFirst { result += separator.scalars }
      isFirst = false
      result += try text(item).scalars
      guard result.count <= limits.size else { throw tooLarge }
    }
    return try checked(Text(result))
  }
}
