import Foundation
import StrictJSON

/// Reads the JSON of model files: errors are ``ModelFileError``, with line and column.
package enum JSONParser {
  /// Keys are compared by their bytes, since Unicode forms of one text are different tokens of a vocabulary; files written
  /// on Windows may start with a byte order mark.
  static let rules: JSONRules = {
    var rules = JSONRules()
    rules.keys = .bytes
    rules.allowsByteOrderMark = true
    return rules
  }()

  /// The value that `bytes` hold; white space around it is allowed.
  package static func parse(_ bytes: UnsafeBufferPointer<UInt8>) throws -> JSONValue {
    do throws(JSONError) { return try JSONValue(parsing: bytes, rules: rules) } catch {
      let message = if case .doubledKey(let key) = error.problem { "duplicate key '\(key)'" } else { error.message }
      throw ModelFileError(.malformed, "JSON: \(message) at \(error.place)")
    }
  }

  /// The value that `data` holds.
  package static func parse(_ data: Data) throws -> JSONValue {
    try data.withUnsafeBytes { try parse($0.bindMemory(to: UInt8.self)) }
  }
}

extension JSONValue {
  /// The value itself where it is short, else its kind; for messages.
  package var shortText: String {
    switch self {
    case .array, .object: kind
    default: text().count <= 40 ? text() : kind
    }
  }
}

/// The value under a key, or nil where absent or null; an error where it is something else.
extension JSONObject {
  package func string(_ key: String) throws -> String? { try typed(key, "a string") { $0.stringValue } }
  package func integer(_ key: String) throws -> Int? { try typed(key, "an integer") { $0.integerValue } }
  package func double(_ key: String) throws -> Double? { try typed(key, "a number") { $0.doubleValue } }
  package func bool(_ key: String) throws -> Bool? { try typed(key, "true or false") { $0.boolValue } }
  package func object(_ key: String) throws -> JSONObject? { try typed(key, "an object") { $0.objectValue } }
  package func array(_ key: String) throws -> [JSONValue]? { try typed(key, "an array") { $0.arrayValue } }

  private func typed<T>(_ key: String, _ expected: String, _ get: (JSONValue) -> T?) throws -> T? {
    guard let value = present(key) else { return nil }
    guard let result = get(value) else {
      throw ModelFileError(.malformed, "'\(key)' must be \(expected), found \(value.kind)")
    }
    return result
  }
}
