import Foundation
import Foundations
import StrictJSON

/// Decodes one JSON object per line, strictly: the unknown is refused, and every error names file, line and key.
struct RecordDecoder {
  let path: String
  let line: Int

  /// Texts that were cut inside an emoji are taken, and identifiers keep their digits.
  static let rules: JSONRules = {
    var rules = JSONRules()
    rules.replacesSurrogates = true
    rules.keepsNumberText = true
    return rules
  }()

  /// Parses a line into a JSON object whose keys are all in `known`.
  func object(_ data: Data, known: [String]) throws -> JSONObject {
    guard String(validating: data, as: UTF8.self) != nil else {
      throw fail("the line is not valid UTF-8; convert the file (for example with iconv)")
    }
    let value: JSONValue
    do throws(JSONError) {
      value = try JSONValue(parsing: data, rules: Self.rules)
    } catch {
      throw fail(
        "not valid JSON (\(error.message)); every line must hold one complete JSON object", column: error.column)
    }
    guard case .object(let object) = value else {
      throw fail("expected a JSON object with the keys \(known.joined(separator: ", "))")
    }
    try refuseUnknown(object, known: known, at: "")
    return object
  }

  /// What other tools call a key, for suggestions.
  private static let otherNames: [String: String] = [
    "answer": "response", "reply": "response", "output": "response", "completion": "response", "target": "response",
    "label": "response", "reference": "response", "gold": "response", "assistant": "response",
    "question": "query", "prompt": "query", "input": "query", "instruction": "query", "request": "query",
    "user_id": "user", "userid": "user", "author": "user", "owner": "user", "uid": "user", "person": "user",
    "name": "id", "sample_id": "id", "key": "id", "_id": "id", "guid": "id",
    "posts": "history", "messages": "history", "items": "history", "documents": "history", "content": "text",
    "body": "text", "message": "text", "utterance": "text", "type": "kind", "category": "kind",
    "timestamp": "time", "date": "time", "datetime": "time", "created_at": "time", "created": "time", "ts": "time",
    "when": "time", "part": "split", "subset": "split", "fold": "split", "background": "context", "passage": "context",
    "persona": "profile", "attributes": "profile", "facts": "profile",
  ]

  func refuseUnknown(_ object: JSONObject, known: [String], at place: String) throws {
    for key in object.keys.sorted() where !known.contains(key) {
      // A key that is there already was not meant.
      let free = known.filter { object[$0] == nil }
      let hint = Self.suggestion(for: key, among: free).map { "; did you mean \"\($0)\"?" } ?? "."
      throw fail("unknown key \"\(place)\(key)\"\(hint) Known keys: \(known.joined(separator: ", "))")
    }
  }

  private static func suggestion(for key: String, among names: [String]) -> String? {
    let key = key.lowercased()
    if let other = otherNames[key], names.contains(other) { return other }
    return NearestName.of(key, among: names)
  }

  /// A non-empty string, or a whole number written out (ids are often numbers; 1.0 is the id 1).
  func identifier(_ object: JSONObject, _ key: String) throws -> String {
    if let text = object[key]?.stringValue {
      guard !text.isEmpty else { throw fail("\"\(key)\" is empty") }
      return text
    }
    if let number = RecordNumber(object[key]) {
      if let whole = number.whole { return whole }
      let why =
        number.value == number.value.rounded()
        ? "is too large for a floating-point number, so that digits may be lost" : "is no whole number"
      throw fail("\"\(key)\" is \(number.text), which \(why); write the id in quotes, or as digits")
    }
    throw fail(object[key] == nil ? "\"\(key)\" is missing" : "\"\(key)\" must be a string")
  }

  func text(_ object: JSONObject, _ key: String, at place: String = "") throws -> String {
    guard let value = object[key] else { throw fail("\"\(place)\(key)\" is missing") }
    guard let text = value.stringValue else { throw fail("\"\(place)\(key)\" must be a string") }
    return text
  }

  func optionalText(_ object: JSONObject, _ key: String, at place: String = "") throws -> String? {
    guard let value = object.present(key) else { return nil }
    guard let text = value.stringValue else { throw fail("\"\(place)\(key)\" must be a string") }
    return text
  }

  /// A moment in seconds: a number, or a text of ISO 8601 (see `RecordTime`).
  func optionalTime(_ object: JSONObject, _ key: String, at place: String = "") throws -> Double? {
    guard let value = object.present(key) else { return nil }
    if let number = RecordNumber(value) { return RecordTime.seconds(of: number.value) }
    var reason = ""
    if let text = value.stringValue {
      do {
        return try RecordTime.seconds(of: text)
      } catch let failure as RecordTime.Failure {
        reason = ", and \"\(text.prefix(40))\" is none: \(failure.reason)"
      }
    }
    throw fail(
      "\"\(place)\(key)\" must be seconds since 1970 or an ISO 8601 date (2024-05-01T12:00:00Z)\(reason)")
  }

  func fail(_ message: String, column: Int? = nil) -> DatasetError {
    DatasetError(.malformed, message, path: path, line: line, column: column)
  }
}
