import Foundation
import Foundations

/// Canonical JSON for scripts: sorted keys, no escaped slashes, one value per line.
///
/// Numbers that JSON does not have become null where a type allows it; elsewhere they are an `EncodingError`.
package enum JSON {
  package static func line(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try text(value, encoder)
  }

  package static func pretty(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return try text(value, encoder)
  }

  private static func text(_ value: some Encodable, _ encoder: JSONEncoder) throws -> String {
    PrintableText.json(String(decoding: try encoder.encode(value), as: UTF8.self))
  }
}
