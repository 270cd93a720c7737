/// What can be wrong with a field.
package enum FieldProblem: Sendable {
  case missing, unknown, wrongType, outOfRange, tooMany
}

/// An error that a ``FieldReader`` can throw: each format has its own.
package protocol FieldFailure: Error {
  init(field problem: FieldProblem, _ message: String, at location: String)
}

/// Takes the fields of one JSON object by name and refuses what is missing, mistyped or left over.
package struct FieldReader<Failure: FieldFailure> {
  private var fields: JSONObject
  private let path: String

  package init(_ value: JSONValue, at path: String) throws(Failure) {
    guard case .object(let fields) = value else {
      throw Failure(field: .wrongType, "expected an object, found \(value.kind)", at: path)
    }
    self.fields = fields
    self.path = path
  }

  package func location(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// Call last: any field that was not taken is unknown.
  package func finish() throws(Failure) {
    guard let name = fields.keys.min() else { return }
    throw Failure(field: .unknown, "this version of the protocol has no such field", at: location(name))
  }

  /// Removes and returns the value of `name`; `nil` where the field is absent.
  package mutating func take(_ name: String) -> JSONValue? { fields.removeValue(forKey: name) }

  /// Removes and returns the value of `name`; `nil` where the field is absent or null.
  package mutating func present(_ name: String) -> JSONValue? {
    guard let value = take(name), !value.isNull else { return nil }
    return value
  }

  package mutating func value(_ name: String) throws(Failure) -> JSONValue {
    guard let value = take(name) else { throw Failure(field: .missing, "required", at: location(name)) }
    return value
  }

  private static func mismatch(_ expected: String, _ value: JSONValue, at location: String) -> Failure {
    Failure(field: .wrongType, "expected \(expected), found \(value.kind)", at: location)
  }

  /// A string of at least one (with `allowEmpty` zero) and at most `max` bytes.
  package mutating func string(_ name: String, max: Int, allowEmpty: Bool = false) throws(Failure) -> String {
    try Self.string(value(name), max: max, allowEmpty: allowEmpty, at: location(name))
  }

  package static func string(
    _ value: JSONValue, max: Int, allowEmpty: Bool = false, at location: String
  ) throws(Failure) -> String {
    guard case .string(let text) = value else { throw mismatch("a string", value, at: location) }
    guard text.utf8.count <= max, allowEmpty || !text.isEmpty else {
      throw Failure(field: .outOfRange, "a string of \(text.utf8.count) bytes; allowed are up to \(max)", at: location)
    }
    return text
  }

  package mutating func optionalString(_ name: String, max: Int) throws(Failure) -> String? {
    guard let value = present(name) else { return nil }
    return try Self.string(value, max: max, allowEmpty: true, at: location(name))
  }

  package mutating func integer(_ name: String, in range: ClosedRange<Int64>) throws(Failure) -> Int64 {
    try Self.integer(value(name), in: range, at: location(name))
  }

  package mutating func optionalInteger(_ name: String, in range: ClosedRange<Int64>) throws(Failure) -> Int64? {
    guard let value = present(name) else { return nil }
    return try Self.integer(value, in: range, at: location(name))
  }

  private static func integer(
    _ value: JSONValue, in range: ClosedRange<Int64>, at location: String
  ) throws(Failure) -> Int64 {
    guard case .integer(let integer) = value else { throw mismatch("an integer", value, at: location) }
    guard range.contains(Int64(integer)) else {
      throw Failure(field: .outOfRange, "\(integer) is not in \(range.lowerBound)...\(range.upperBound)", at: location)
    }
    return Int64(integer)
  }

  package mutating func bool(_ name: String) throws(Failure) -> Bool {
    let value = try value(name)
    guard case .bool(let flag) = value else { throw Self.mismatch("a boolean", value, at: location(name)) }
    return flag
  }

  /// Names with finite numbers; a `null` number is read as not-a-number.
  package mutating func numbers(_ name: String, max: Int) throws(Failure) -> [String: Double] {
    try Self.numbers(value(name), max: max, at: location(name))
  }

  package mutating func optionalNumbers(_ name: String, max: Int) throws(Failure) -> [String: Double]? {
    guard let value = present(name) else { return nil }
    return try Self.numbers(value, max: max, at: location(name))
  }

  private static func numbers(
    _ value: JSONValue, max: Int, at location: String
  ) throws(Failure) -> [String: Double] {
    guard case .object(let fields) = value else { throw mismatch("an object of numbers", value, at: location) }
    guard fields.count <= max else { throw Failure(field: .tooMany, "more than \(max) numbers", at: location) }
    var numbers: [String: Double] = [:]
    for (key, element) in fields {
      guard let number = element.isNull ? .nan : element.doubleValue else {
        throw mismatch("a number or null", element, at: "\(location).\(key)")
      }
      numbers[key] = number
    }
    return numbers
  }

  /// An array of at most `max` elements, each read by `element` with its location.
  package mutating func array<Element>(
    _ name: String, max: Int, _ element: (JSONValue, String) throws(Failure) -> Element
  ) throws(Failure) -> [Element] {
    let value = try value(name)
    guard case .array(let values) = value else { throw Self.mismatch("an array", value, at: location(name)) }
    guard values.count <= max else { throw Failure(field: .tooMany, "more than \(max) elements", at: location(name)) }
    var elements: [Element] = []
    for (index, value) in values.enumerated() {
      elements.append(try element(value, location("\(name)[\(index)]")))
    }
    return elements
  }

  /// Like `array`; nil where the field is absent or null.
  package mutating func optionalArray<Element>(
    _ name: String, max: Int, _ element: (JSONValue, String) throws(Failure) -> Element
  ) throws(Failure) -> [Element]? {
    guard fields.present(name) != nil else {
      fields[name] = nil
      return nil
    }
    return try array(name, max: max, element)
  }

  package mutating func strings(_ name: String, max: Int, bytes: Int) throws(Failure) -> [String] {
    try array(name, max: max) { value, location throws(Failure) in
      try Self.string(value, max: bytes, allowEmpty: true, at: location)
    }
  }

  /// The reader of an object inside this one.
  package mutating func object(_ name: String) throws(Failure) -> FieldReader {
    try FieldReader(value(name), at: location(name))
  }

  /// The reader of an object inside this one; nil where it is null or absent.
  package mutating func optionalObject(_ name: String) throws(Failure) -> FieldReader? {
    guard let value = present(name) else { return nil }
    return try FieldReader(value, at: location(name))
  }

  /// One of the raw values of `Choice`; others are refused by name.
  package mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ type: Choice.Type
  ) throws(Failure) -> Choice where Choice.RawValue == String {
    let text = try string(name, max: 64)
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw Failure(field: .outOfRange, "not one of \(known)", at: location(name))
    }
    return choice
  }
}
