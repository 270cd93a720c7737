/// A JSON value that keeps the order of members and the exact scalars of strings.
///
/// Unlike Foundation's readers it refuses duplicate keys. Keys are compared by their bytes: Swift's `==` on strings
/// folds canonically equivalent text, which would merge different tokens of a vocabulary.
package enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object(JSONObject)

  /// The kind of value, for messages.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "a boolean"
    case .integer: "an integer"
    case .number: "a number"
    case .string: "a string"
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The value itself where it is short, else its kind; for messages.
  package var shortText: String {
    switch self {
    case .array, .object: kind
    default: text().count <= 40 ? text() : kind
    }
  }

  package var isNull: Bool { if case .null = self { true } else { false } }
  package var boolValue: Bool? { if case .bool(let value) = self { value } else { nil } }
  package var stringValue: String? { if case .string(let value) = self { value } else { nil } }
  package var arrayValue: [JSONValue]? { if case .array(let value) = self { value } else { nil } }
  package var objectValue: JSONObject? { if case .object(let value) = self { value } else { nil } }
  /// An integer, also when written with a zero fraction.
  package var integerValue: Int? {
    switch self {
    case .integer(let value): value
    case .number(let value): Int(exactly: value)
    default: nil
    }
  }
  package var doubleValue: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .number(let value): value
    default: nil
    }
  }
}

/// The members of a JSON object in file order.
package struct JSONObject: Sendable {
  package private(set) var members: [(key: String, value: JSONValue)] = []

  package init() {}
  package init(_ members: [(String, JSONValue)]) { self.members = members.map { (key: $0.0, value: $0.1) } }

  package mutating func append(_ key: String, _ value: JSONValue) { members.append((key: key, value: value)) }

  /// The value of a key (linear search: objects read by key are small).
  package subscript(key: String) -> JSONValue? {
    members.first { $0.key.utf8.elementsEqual(key.utf8) }?.value
  }

  /// A value that is neither absent nor null.
  package func present(_ key: String) -> JSONValue? {
    guard let value = self[key], !value.isNull else { return nil }
    return value
  }
}

extension JSONObject {
  /// The string under `key`, or nil where absent or null.
  ///
  /// Throws where it is something else.
  package func string(_ key: String) throws -> String? {
    try typed(key, "a string") { $0.stringValue }
  }
  /// The integer under `key`, or nil where absent or null.
  ///
  /// Throws where it is something else.
  package func integer(_ key: String) throws -> Int? {
    try typed(key, "an integer") { $0.integerValue }
  }
  /// The number under `key`, or nil where absent or null.
  ///
  /// Throws where it is something else.
  package func double(_ key: String) throws -> Double? {
    try typed(key, "a number") { $0.doubleValue }
  }
  /// The boolean under `key`, or nil where absent or null.
  ///
  /// Throws where it is something else.
  package func bool(_ key: String) throws -> Bool? {
    try typed(key, "true or false") { $0.boolValue }
  }
  /// The object under `key`, or nil where absent or null.
  ///
  /// Throws where it is something else.
  package func object(_ key: String) throws -> JSONObject? {
    try typed(key, "an object") { $0.objectValue }
  }
  /// The array under `key`, or nil where absent or null.
  ///
  /// Throws where it is something else.
  package func array(_ key: String) throws -> [JSONValue]? {
    try typed(key, "an array") { $0.arrayValue }
  }

  private func typed<T>(_ key: String, _ expected: String, _ get: (JSONValue) -> T?) throws -> T? {
    guard let value = present(key) else { return nil }
    guard let result = get(value) else {
      throw JSONError("'\(key)' must be \(expected), found \(value.kind)")
    }
    return result
  }
}
