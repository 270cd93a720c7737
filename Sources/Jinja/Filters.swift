/// What `|` does.
enum Filters {
  typealias Filter = @Sendable (Interpreter, Value, Arguments) throws -> Value

  static let all: [String: Filter] = [
    textFilters, textEditing, numberFilters, listFilters, listOrder, listSelection, listParts, markup,
  ].reduce(into: [:]) { $0.merge($1) { $1 } }

  /// The text of a value that is none.
  static func soft(_ interpreter: Interpreter, _ value: Value) throws -> Text { try interpreter.text(value) }

  /// An integer for a number of places or items.
  static func integer(_ value: Value) throws -> Int {
    if case .undefined(let missing) = value { throw missing.error }
    guard let integer = value.asInteger else {
      throw TemplateError(.type, "'\(value.typeName)' object cannot be interpreted as an integer")
    }
    return integer.clamped
  }

  static func isTrue(_ value: Value?) -> Bool { value?.isTrue ?? false }

  /// A filter that is not given, or given as none.
  static func given(_ value: Value?) -> Value? { value.flatMap { $0.isNone ? nil : $0 } }

  // MARK: - Attributes of items

  /// Reads `a.b.0` of items; what is missing on the way is the standard.
  static func getter(
    _ interpreter: Interpreter, _ attribute: Value?, standard: Value? = nil, ignoresCase: Bool = false
  ) throws -> (Value) throws -> Value {
    let parts = try self.parts(interpreter, attribute)
    return { item in
      var item = item
      for part in parts {
        item = try interpreter.item(item, part)
        if let standard, item.isUndefined { item = standard }
      }
      if ignoresCase, case .text(let text) = item { return .text(text.lowercased) }
      return item
    }
  }

  static func parts(_ interpreter: Interpreter, _ attribute: Value?) throws -> [Value] {
    guard let attribute = given(attribute) else { return [] }
    guard case .text(let text) = attribute else { return [attribute] }
    return text.split(at: ".", limit: -1).map { part in
      if !part.isEmpty, part.scalars.allSatisfy(\.isDecimal), let index = Integer(digits: part.scalars, radix: 10) {
        return .integer(index)
      }
      return .text(part)
    }
  }

  /// A filter or test that another one is given by name.
  static func named(_ value: Value, _ kind: String) throws -> String {
    _ = try HashKey(value)
    guard case .text(let name) = value else {
      throw TemplateError(.runtime, "No \(kind) named \(value.typeName).")
    }
    return name.string
  }
}
