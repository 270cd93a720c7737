extension Interpreter {
  /// `==`, for values of any type.
  func equal(_ left: Value, _ right: Value) throws -> Bool {
    try step()
    if let order = Self.numberOrder(left, right) { return order == .equal }
    switch (left, right) {
    case (.undefined, .undefined), (.none, .none): return true
    case (.text(let a), .text(let b)): return a == b
    case (.list(let a), .list(let b)): return a === b ? true : try equal(a.items, b.items)
    case (.tuple(let a), .tuple(let b)): return try equal(a.items, b.items)
    case (.mapping(let a), .mapping(let b)):
      return try deeper {
        guard a.entries.count == b.entries.count else { return false }
        for (key, value) in a.entries {
          guard let other = b[try HashKey(key)], try equal(value, other) else { return false }
        }
        return true
      }
    case (.view(let a), .view(let b)): return try equal(a, b)
    case (.range(let a), .range(let b)):
      guard a.count == b.count, a.count > 0 else { return a.count == b.count }
      return a.start == b.start && (a.count == 1 || a.step == b.step)
    default: return left.isSame(as: right)
    }
  }

  private func equal(_ left: [Value], _ right: [Value]) throws -> Bool {
    guard left.count == right.count else { return false }
    return try deeper {
      for (a, b) in zip(left, right) where !(try same(a, b)) { return false }
      return true
    }
  }

  /// As lists compare their items: one object equals itself, even if it is not a number.
  private func same(_ left: Value, _ right: Value) throws -> Bool {
    if left.isSame(as: right) { return true }
    return try equal(left, right)
  }

  /// Views of keys and items are sets; views of values equal nothing.
  private func equal(_ left: MappingView, _ right: MappingView) throws -> Bool {
    guard left.part != .values, right.part != .values else { return false }
    guard left.mapping.entries.count == right.mapping.entries.count else { return false }
    return try left.items.allSatisfy { try contains(.view(right), $0) }
  }

  /// `<`: one of two texts, numbers, lists, or tuples comes first.
  func less(_ left: Value, _ right: Value, _ sign: String = "<") throws -> Bool {
    try step()
    if case .undefined(let missing) = left { throw missing.error }
    if case .undefined(let missing) = right { throw missing.error }
    if left.asDouble != nil, right.asDouble != nil { return Self.numberOrder(left, right) == .less }
    switch (left, right) {
    case (.text(let a), .text(let b)): return a < b
    case (.list(let a), .list(let b)): return try less(a.items, b.items, sign)
    case (.tuple(let a), .tuple(let b)): return try less(a.items, b.items, sign)
    default:
      throw TemplateError(
        .type, "'\(sign)' not supported between instances of '\(left.typeName)' and '\(right.typeName)'")
    }
  }

  private func less(_ left: [Value], _ right: [Value], _ sign: String) throws -> Bool {
    try deeper {
      for (a, b) in zip(left, right) where !(try same(a, b)) { return try less(a, b, sign) }
      return left.count < right.count
    }
  }

  func compare(_ comparison: Comparison, _ left: Value, _ right: Value) throws -> Bool {
    switch comparison {
    case .equal: try equal(left, right)
    case .notEqual: try !equal(left, right)
    case .less: try less(left, right)
    case .greater: try less(right, left, swapping: ">")
    case .lessOrEqual: try lessOrEqual(left, right, "<=")
    case .greaterOrEqual: try lessOrEqual(right, left, ">=")
    case .isIn: try contains(right, left)
    case .isNotIn: try !contains(right, left)
    }
  }

  private func less(_ left: Value, _ right: Value, swapping sign: String) throws -> Bool {
    try order(left, right, sign) { try self.less($0, $1, sign) }
  }

  private func lessOrEqual(_ left: Value, _ right: Value, _ sign: String) throws -> Bool {
    try order(left, right, sign) { left, right in
      if case .double(let a) = left, a.isNaN { return false }
      if case .double(let b) = right, b.isNaN { return false }
      return try self.equal(left, right) || self.less(left, right, sign)
    }
  }

  /// Names the operands of a message in the order of the template.
  private func order(
    _ left: Value, _ right: Value, _ sign: String, _ body: (Value, Value) throws -> Bool
  ) throws -> Bool {
    for case .undefined(let missing) in [left, right] { throw missing.error }
    let (first, second) = sign.hasPrefix(">") ? (right, left) : (left, right)
    switch (left, right) {
    case (.text, .text), (.list, .list), (.tuple, .tuple): return try body(left, right)
    default:
      guard left.asDouble != nil, right.asDouble != nil else {
        throw TemplateError(
          .type, "'\(sign)' not supported between instances of '\(first.typeName)' and '\(second.typeName)'")
      }
      return try body(left, right)
    }
  }

  enum Order { case less, equal, greater, none }

  /// The order of two numbers, which is exact between integers and fractions too; nil where one is no number.
  static func numberOrder(_ left: Value, _ right: Value) -> Order? {
    func order<T: Comparable>(_ a: T, _ b: T) -> Order { a < b ? .less : a == b ? .equal : a > b ? .greater : .none }
    if let a = left.asInteger, let b = right.asInteger { return order(a, b) }
    guard let a = left.asDouble, let b = right.asDouble else { return nil }
    guard a.isFinite, b.isFinite else { return order(a, b) }
    if let a = left.asInteger {
      let whole = Integer(truncating: b.rounded(.down))
      return a == whole ? (b == b.rounded() ? .equal : .less) : order(a, whole)
    }
    if right.asInteger != nil {
      switch numberOrder(right, left) {
      case .less: return .greater
      case .greater: return .less
      case let same: return same
      }
    }
    return order(a, b)
  }

  /// `item in container`.
  func contains(_ container: Value, _ item: Value) throws -> Bool {
    switch container {
    case .text(let text):
      guard case .text(let part) = item else {
        throw TemplateError(.type, "'in <string>' requires string as left operand, not \(item.typeName)")
      }
      return text.contains(part)
    case .mapping(let mapping): return mapping[try HashKey(item)] != nil
    case .view(let view) where view.part == .keys: return view.mapping[try HashKey(item)] != nil
    default:
      guard container.isIterable else {
        throw TemplateError(.type, "argument of type '\(container.typeName)' is not iterable")
      }
      let items = try iterate(container)
      while let next = try items.next() {
        if try same(next, item) { return true }
      }
      return false
    }
  }

  /// A stable order by keys.
  func sorted<T>(_ items: [T], key: (T) throws -> Value, reverse: Bool = false) throws -> [T] {
    var keyed = try items.map { (key: try key($0), item: $0) }
    if reverse { keyed.reverse() }
    keyed = try mergeSorted(keyed)
    if reverse { keyed.reverse() }
    return keyed.map(\.item)
  }

  private func mergeSorted<T>(_ items: [(key: Value, item: T)]) throws -> [(key: Value, item: T)] {
    if items.count < 2 { return items }
    var left = try mergeSorted(Array(items[..<(items.count / 2)]))[...]
    var right = try mergeSorted(Array(items[(items.count / 2)...]))[...]
    var result: [(key: Value, item: T)] = []
    while let a = left.first, let b = right.first {
      if try less(b.key, a.key) {
        result.append(b)
        right.removeFirst()
      } else {
        result.append(a)
        left.removeFirst()
      }
    }
    return result + left + right
  }
}
