extension Interpreter {
  /// `value.name`: an attribute of the type first, then an item.
  func attribute(_ value: Value, _ name: String) throws -> Value {
    if let found = try ownAttribute(value, name) { return found }
    if case .undefined(let missing) = value { throw missing.error }
    if case .mapping(let mapping) = value, let item = mapping[name] { return item }
    return missing(value, .text(Text(name)))
  }

  /// `value[index]`: an item first, then an attribute of that name.
  func item(_ value: Value, _ index: Value) throws -> Value {
    if case .undefined(let missing) = value { throw missing.error }
    if let item = storedItem(value, index) { return item }
    if case .text(let name) = index, let found = try ownAttribute(value, name.string) { return found }
    return missing(value, index)
  }

  private func storedItem(_ value: Value, _ index: Value) -> Value? {
    if case .mapping(let mapping) = value {
      // A key that cannot be one is not there.
      guard let key = try? HashKey(index) else { return nil }
      return mapping[key]
    }
    guard let integer = index.asInteger, let count = value.count else { return nil }
    let position = integer.isNegative ? integer + Integer(count) : integer
    guard let place = position.int, place >= 0, place < count else { return nil }
    switch value {
    case .text(let text): return .string([text.scalars[place]])
    case .list(let list): return list.items[place]
    case .tuple(let tuple): return tuple.items[place]
    case .range(let range): return .integer(range.item(place))
    default: return nil
    }
  }

  private func missing(_ value: Value, _ index: Value) -> Value {
    let owner = value.objectName
    if case .text(let name) = index {
      return .undefined(Undefined(hint: "\(Text(owner).quoted.string) has no attribute \(name.quoted.string)"))
    }
    // The index was evaluated, so it can be printed, but for values that are too large.
    let shown = (try? representation(index).string) ?? index.typeName
    return .undefined(Undefined(hint: "\(owner) has no element \(shown)"))
  }

  /// An attribute that the type itself has, or an undefined value that says why it may not be used; nil where there is
  /// none.
  func ownAttribute(_ value: Value, _ name: String) throws -> Value? {
    if name.hasPrefix("__"), name.hasSuffix("__") {
      return Self.internals.contains(name) || Self.hasInternal(value, name) ? unsafe(value, name) : nil
    }
    if case .undefined(let missing) = value { throw missing.error }
    switch value {
    case .mapping where Self.changing.contains(name), .list where Self.changingLists.contains(name):
      return unsafe(value, name)
    default: return try Methods.attribute(value, name)
    }
  }

  private func unsafe(_ value: Value, _ name: String) -> Value {
    .undefined(
      Undefined(
        hint: "access to attribute \(Text(name).quoted.string) of '\(value.typeName)' object is unsafe.",
        kind: .security))
  }

  private static let changing: Set<String> = ["clear", "pop", "popitem", "setdefault", "update"]
  private static let changingLists: Set<String> = [
    "append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove",
  ]
  /// What every Python object has.
  private static let internals: Set<String> = [
    "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__",
    "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__ne__", "__new__",
    "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__", "__subclasshook__",
  ]

  private static func hasInternal(_ value: Value, _ name: String) -> Bool {
    switch value {
    case .text, .list, .tuple, .mapping, .range:
      ["__len__", "__getitem__", "__iter__", "__contains__"].contains(name)
        || name == "__add__" && value.isSequence || name == "__mul__" && value.isSequence
    case .integer, .bool, .double: ["__add__", "__mul__", "__sub__", "__int__", "__float__", "__abs__"].contains(name)
    case .function, .macro: ["__call__", "__name__", "__self__", "__module__"].contains(name)
    default: false
    }
  }

  // MARK: - Slices

  func slice(_ value: Value, _ start: Value, _ stop: Value, _ step: Value) throws -> Value {
    if case .undefined(let missing) = value { throw missing.error }
    guard let count = value.count else { throw TemplateError(.type, "'\(value.typeName)' object is not subscriptable") }
    switch value {
    case .text, .list, .tuple, .range: break
    case .mapping: throw TemplateError(.type, "unhashable type: 'slice'")
    default: throw TemplateError(.type, "'\(value.typeName)' object is not subscriptable")
    }
    let bounds = try [start, stop, step].map { bound -> Int? in
      if bound.isNone { return nil }
      guard let integer = bound.asInteger else {
        throw TemplateError(.type, "slice indices must be integers or None or have an __index__ method")
      }
      return integer.clamped
    }
    let stride = bounds[2] ?? 1
    if stride == 0 { throw TemplateError(.value, "slice step cannot be zero") }
    let indices = Self.indices(bounds[0], bounds[1], stride, count)
    try self.step(indices.count / 16)
    switch value {
    case .text(let text): return .text(Text(indices.map { text.scalars[$0] }, isMarkup: text.isMarkup))
    case .list(let list): return .list(ListValue(indices.map { list.items[$0] }))
    case .tuple(let tuple): return .tuple(TupleValue(indices.map { tuple.items[$0] }))
    case .range(let range):
      let (first, last) = Self.limits(bounds[0], bounds[1], stride, count)
      return .range(
        RangeValue(
          range.start + range.step * Integer(first), range.start + range.step * Integer(last),
          range.step * Integer(stride)))
    default: return value
    }
  }

  private static func limits(_ start: Int?, _ stop: Int?, _ step: Int, _ count: Int) -> (Int, Int) {
    let (low, high) = step < 0 ? (-1, count - 1) : (0, count)
    func place(_ bound: Int?, _ standard: Int) -> Int {
      guard let bound else { return standard }
      let (moved, overflows) = bound < 0 ? bound.addingReportingOverflow(count) : (bound, false)
      return overflows ? low : min(max(moved, low), high)
    }
    return (place(start, step < 0 ? high : low), place(stop, step < 0 ? low : high))
  }

  private static func indices(_ start: Int?, _ stop: Int?, _ step: Int, _ count: Int) -> [Int] {
    let (first, last) = limits(start, stop, step, count)
    if step.magnitude >= UInt(max(count, 1)) { return (step < 0 ? first > last : first < last) ? [first] : [] }
    return Array(stride(from: first, to: last, by: step))
  }
}
