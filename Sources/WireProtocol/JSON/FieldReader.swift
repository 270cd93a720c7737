/// Takes the fields of one JSON object by name and refuses what is missing, mistyped or left over.
struct FieldReader {
  private var fields: [String: JSONValue]
  private let path: String

  init(_ value: JSONValue, at path: String) throws(WireError) {
    guard case .object(let fields) = value else {
      throw WireError(.wrongType, "expected an object, found \(value.kind)", at: path)
    }
    self.fields = fields
    self.path = path
  }

  func location(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// Call last: any field that was not taken is unknown.
  func finish() throws(WireError) {
    guard let name = fields.keys.min() else { return }
    throw WireError(.unknownField, "this version of the protocol has no such field", at: location(name))
  }

  /// Removes and returns the value of `name`; `nil` where the field is absent.
  mutating func take(_ name: String) -> JSONValue? { fields.removeValue(forKey: name) }

  mutating func value(_ name: String) throws(WireError) -> JSONValue {
    guard let value = take(name) else { throw WireError(.missingField, "required", at: location(name)) }
    return value
  }

  private func mismatch(_ name: String, _ expected: String, _ value: JSONValue) -> WireError {
    WireError(.wrongType, "expected \(expected), found \(value.kind)", at: location(name))
  }

  /// A string of at least one (with `allowEmpty` zero) and at most `max` bytes.
  mutating func string(_ name: String, max: Int, allowEmpty: Bool = false) throws(WireError) -> String {
    let value = try value(name)
    return try Self.string(value, max: max, allowEmpty: allowEmpty, at: location(name))
  }

  static func string(
    _ value: JSONValue, max: Int, allowEmpty: Bool = false, at location: String
  ) throws(WireError) -> String {
    guard case .string(let text) = value else {
      throw WireError(.wrongType, "expected a string, found \(value.kind)", at: location)
    }
    guard text.utf8.count <= max, allowEmpty || !text.isEmpty else {
      throw WireError(.outOfRange, "a string of \(text.utf8.count) bytes; allowed are up to \(max)", at: location)
    }
    return text
  }

  mutating func optionalString(_ name: String, max: Int) throws(WireError) -> String? {
    guard let value = take(name), value != .null else { return nil }
    return try Self.string(value, max: max, allowEmpty: true, at: location(name))
  }

  mutating func integer(_ name: String, in range: ClosedRange<Int64>) throws(WireError) -> Int64 {
    let value = try value(name)
    guard case .integer(let integer) = value else { throw mismatch(name, "an integer", value) }
    guard range.contains(integer) else {
      throw WireError(.outOfRange, "\(integer) is not in \(range.lowerBound)...\(range.upperBound)", at: location(name))
    }
    return integer
  }

  mutating func optionalInteger(_ name: String, in range: ClosedRange<Int64>) throws(WireError) -> Int64? {
    guard let value = fields[name] else { return nil }
    guard value != .null else {
      fields[name] = nil
      return nil
    }
    return try integer(name, in: range)
  }

  mutating func bool(_ name: String) throws(WireError) -> Bool {
    let value = try value(name)
    guard case .bool(let flag) = value else { throw mismatch(name, "a boolean", value) }
    return flag
  }

  /// Names with finite numbers; a `null` number is read as not-a-number.
  mutating func numbers(_ name: String, max: Int) throws(WireError) -> [String: Double] {
    try Self.numbers(value(name), max: max, at: location(name))
  }

  static func numbers(_ value: JSONValue, max: Int, at location: String) throws(WireError) -> [String: Double] {
    guard case .object(let fields) = value else {
      throw WireError(.wrongType, "expected an object of numbers, found \(value.kind)", at: location)
    }
    guard fields.count <= max else { throw WireError(.tooMany, "more than \(max) numbers", at: location) }
    var numbers: [String: Double] = [:]
    for (key, element) in fields {
      switch element {
      case .integer(let integer): numbers[key] = Double(integer)
      case .number(let number): numbers[key] = number
      case .null: numbers[key] = .nan
      default: throw WireError(.wrongType, "expected a number or null, found \(element.kind)", at: "\(location).\(key)")
      }
    }
    return numbers
  }

  /// An array of at most `max` elements, each read by `element` with its location.
  mutating func array<Element>(
    _ name: String, max: Int, _ element: (JSONValue, String) throws(WireError) -> Element
  ) throws(WireError) -> [Element] {
    let value = try value(name)
    guard case .array(let values) = value else { throw mismatch(name, "an array", value) }
    guard values.count <= max else { throw WireError(.tooMany, "more than \(max) elements", at: location(name)) }
    var elements: [Element] = []
    for (index, value) in values.enumerated() {
      elements.append(try element(value, location("\(name)[\(index)]")))
    }
    return elements
  }

  mutating func strings(_ name: String, max: Int, bytes: Int) throws(WireError) -> [String] {
    try array(name, max: max) { value, location throws(WireError) in
      try Self.string(value, max: bytes, allowEmpty: true, at: location)
    }
  }

  /// One of the raw values of `Choice`; others are refused by name.
  mutating func choice<Choice: RawRepresentable & CaseIterable>(
    _ name: String, _ type: Choice.Type
  ) throws(WireError) -> Choice where Choice.RawValue == String {
    let text = try string(name, max: 64)
    guard let choice = Choice(rawValue: text) else {
      let known = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw WireError(.outOfRange, "not one of \(known)", at: location(name))
    }
    return choice
  }
}
