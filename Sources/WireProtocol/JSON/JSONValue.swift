import Foundation

/// A JSON value whose numbers are finite and whose integers keep all 64 bits.
package enum JSONValue: Hashable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// Reads one JSON text, refusing whatever exceeds `limits`.
  package init(parsing bytes: [UInt8], limits: WireLimits = .standard) throws(WireError) {
    guard bytes.count <= limits.frameBytes else {
      throw WireError(.tooLarge, "\(bytes.count) bytes, the limit is \(limits.frameBytes)")
    }
    var parser = JSONParser(bytes: bytes, limits: limits)
    self = try parser.parse()
  }

  /// The JSON form of an encodable value (used for configurations, which the wire carries without looking inside).
  package init(encoding value: some Encodable) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes]
    try self.init(parsing: [UInt8](encoder.encode(value)))
  }

  /// Decodes the value as `type`.
  package func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try JSONDecoder().decode(type, from: Data(serialized()))
  }

  /// A number, or `null` where it is not finite.
  package static func finite(_ value: Double) -> JSONValue { value.isFinite ? .number(value) : .null }

  /// The compact JSON text: fields in order of their names, so that equal values give equal bytes.
  package func serialized() -> [UInt8] {
    var writer = JSONWriter()
    writer.write(self)
    return writer.bytes
  }

  var kind: String {
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
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral,
  ExpressibleByBooleanLiteral, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
  package init(stringLiteral value: String) { self = .string(value) }
  package init(integerLiteral value: Int64) { self = .integer(value) }
  package init(floatLiteral value: Double) { self = .number(value) }
  package init(booleanLiteral value: Bool) { self = .bool(value) }
  package init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
  package init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .object(Dictionary(elements, uniquingKeysWith: { $1 }))
  }
}
