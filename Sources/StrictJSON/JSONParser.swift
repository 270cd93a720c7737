import Foundation

extension JSONValue {
  /// Reads one JSON text, white space around it allowed.
  package init(parsing bytes: UnsafeBufferPointer<UInt8>, rules: JSONRules) throws(JSONError) {
    var parser = JSONParser(bytes, rules)
    self = try parser.parse()
  }

  /// Reads one JSON text, white space around it allowed.
  package init(parsing bytes: some ContiguousBytes, rules: JSONRules) throws(JSONError) {
    let result = bytes.withUnsafeBytes { raw in
      Result { () throws(JSONError) in try JSONValue(parsing: raw.bindMemory(to: UInt8.self), rules: rules) }
    }
    self = try result.get()
  }

  /// Reads one JSON text, white space around it allowed.
  package init(parsing text: String, rules: JSONRules) throws(JSONError) {
    var text = text
    let result = text.withUTF8 { bytes in
      Result { () throws(JSONError) in try JSONValue(parsing: bytes, rules: rules) }
    }
    self = try result.get()
  }
}

/// A strict JSON reader (RFC 8259) for bytes of others.
///
/// Refused, with the place: anything after the value, keys given twice, numbers that are not finite as doubles, half
/// surrogate pairs, invalid UTF-8, control characters in strings, and everything beyond the limits. Memory grows with the
/// text, never with numbers found in it. ``JSONRules`` has the limits and the exceptions.
struct JSONParser {
  let bytes: UnsafeBufferPointer<UInt8>
  let rules: JSONRules
  var position = 0
  private var depth = 0
  private var valuesLeft: Int

  init(_ bytes: UnsafeBufferPointer<UInt8>, _ rules: JSONRules) {
    self.bytes = bytes
    self.rules = rules
    valuesLeft = rules.values
  }

  mutating func parse() throws(JSONError) -> JSONValue {
    guard bytes.count <= rules.bytes else { throw error(.tooLarge(bytes.count, limit: rules.bytes)) }
    if rules.allowsByteOrderMark, bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    let value = try value()
    skipSpace()
    guard position == bytes.count else { throw error(.trailingText) }
    return value
  }

  /// What is wrong at `place`, by default where the reader stands.
  func error(_ problem: JSONError.Problem, at place: Int? = nil) -> JSONError {
    let place = min(place ?? position, bytes.count)
    let before = bytes[..<place]
    let column = place - (before.lastIndex(of: 0x0A) ?? -1)
    let line = bytes.contains(0x0A) ? before.count(where: { $0 == 0x0A }) + 1 : nil
    return JSONError(problem, position: place, line: line, column: column)
  }

  var current: UInt8? { position < bytes.count ? bytes[position] : nil }

  mutating func take(_ byte: UInt8) -> Bool {
    guard current == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    guard valuesLeft > 0 else { throw error(.tooMany("values", limit: rules.values)) }
    valuesLeft -= 1
    skipSpace()
    switch current {
    case UInt8(ascii: "{"):
      try enter()
      defer { depth -= 1 }
      return .object(try object())
    case UInt8(ascii: "["):
      try enter()
      defer { depth -= 1 }
      return .array(try array())
    case UInt8(ascii: "\""): return .string(try string(limit: rules.stringBytes))
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    case nil: throw error(.endsEarly)
    default: return try number()
    }
  }

  private mutating func enter() throws(JSONError) {
    guard depth < rules.depth else { throw error(.tooDeep(limit: rules.depth)) }
    depth += 1
    position += 1
  }

  private mutating func literal(_ text: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let length = text.utf8CodeUnitCount
    guard position + length <= bytes.count else { return try otherWord(at: position) }
    for index in 0..<length where bytes[position + index] != text.utf8Start[index] {
      return try otherWord(at: position)
    }
    position += length
    return value
  }

  private mutating func array() throws(JSONError) -> [JSONValue] {
    var elements: [JSONValue] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return elements }
    repeat {
      guard elements.count < rules.elements else { throw error(.tooMany("elements", limit: rules.elements)) }
      elements.append(try value())
      skipSpace()
    } while take(UInt8(ascii: ","))
    try close(UInt8(ascii: "]"), "',' or ']'")
    return elements
  }

  private mutating func object() throws(JSONError) -> JSONObject {
    var object = JSONObject()
    var known = KnownKeys(rules.keys)
    skipSpace()
    if take(UInt8(ascii: "}")) { return object }
    repeat {
      guard object.count < rules.elements else { throw error(.tooMany("fields", limit: rules.elements)) }
      skipSpace()
      let start = position
      guard current == UInt8(ascii: "\"") else {
        throw error(current == nil ? .endsEarly : .expected("a key in double quotes"))
      }
      let key = try string(limit: rules.keyBytes)
      guard known.insert(key, among: object.members) else { throw error(.doubledKey(key), at: start) }
      skipSpace()
      try close(UInt8(ascii: ":"), "':'")
      object.append(key, try value())
      skipSpace()
    } while take(UInt8(ascii: ","))
    try close(UInt8(ascii: "}"), "',' or '}'")
    return object
  }

  private mutating func close(_ byte: UInt8, _ expected: String) throws(JSONError) {
    guard !take(byte) else { return }
    throw error(current == nil ? .endsEarly : .expected(expected))
  }
}

/// Finds keys that are given twice; looks through the members as long as they are few.
private struct KnownKeys {
  /// Compares keys by their bytes.
  private struct ByteKey: Hashable {
    let text: String

    static func == (left: ByteKey, right: ByteKey) -> Bool { left.text.utf8.elementsEqual(right.text.utf8) }

    func hash(into hasher: inout Hasher) {
      var text = text
      text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
    }
  }

  private static let few = 16
  private let kind: JSONRules.Keys
  private var texts: Set<String> = []
  private var byteKeys: Set<ByteKey> = []

  init(_ kind: JSONRules.Keys) { self.kind = kind }

  /// Whether the key is not among the members, each of which was given to this function before.
  mutating func insert(_ key: String, among members: [JSONObject.Member]) -> Bool {
    // Indices, so that no value is copied on the way.
    switch kind {
    case .text:
      if members.count < Self.few { return !members.indices.contains { members[$0].key == key } }
      if members.count == Self.few { texts = Set(members.map(\.key)) }
      return texts.insert(key).inserted
    case .bytes:
      let key = ByteKey(text: key)
      if members.count < Self.few { return !members.indices.contains { ByteKey(text: members[$0].key) == key } }
      if members.count == Self.few { byteKeys = Set(members.map { ByteKey(text: $0.key) }) }
      return byteKeys.insert(key).inserted
    }
  }
}
