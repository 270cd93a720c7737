/// A value that scripts read as JSON: every property is a key that is always there, null where there is nothing.
///
/// Synthesised encoding leaves keys without a value out, and a reader must then guess which keys there are.
package protocol CompleteRow: Encodable {}

private struct PropertyKey: CodingKey {
  var stringValue: String
  var intValue: Int? { nil }
  init(stringValue: String) { self.stringValue = stringValue }
  init?(intValue: Int) { nil }
}

extension CompleteRow {
  package func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: PropertyKey.self)
    for property in Mirror(reflecting: self).children {
      guard let label = property.label else { continue }
      let key = PropertyKey(stringValue: label)
      let mirror = Mirror(reflecting: property.value)
      if mirror.displayStyle == .optional, mirror.children.isEmpty {
        try container.encodeNil(forKey: key)
      } else if let value = property.value as? any Encodable {
        try container.encode(value, forKey: key)
      } else {
        throw EncodingError.invalidValue(
          property.value, .init(codingPath: encoder.codingPath + [key], debugDescription: "no value for JSON"))
      }
    }
  }
}
