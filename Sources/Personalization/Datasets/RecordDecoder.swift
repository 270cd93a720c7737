import Foundation

/// Decodes one JSON object per line, strictly: the unknown is refused, and every error names file, line and key.
struct RecordDecoder {
  let path: String
  let line: Int

  /// Parses a line into a JSON object whose keys are all in `known`.
  func object(_ data: Data, known: [String]) throws -> [String: Any] {
    guard String(validating: data, as: UTF8.self) != nil else {
      throw fail("the line is not valid UTF-8; convert the file (for example with iconv)")
    }
    let value: Any
    do {
      value = try RecordParser.parse(data)
    } catch let error as RecordParser.Failure {
      throw fail(
        "not valid JSON (\(error.reason)); every line must hold one complete JSON object", column: error.column)
    }
    guard let object = value as? [String: Any] else {
      throw fail("expected a JSON object with the keys \(known.joined(separator: ", "))")
    }
    try refuseUnknown(object, known: known, at: "")
    return object
  }

  func refuseUnknown(_ object: [String: Any], known: [String], at place: String) throws {
    for key in object.keys.sorted() where !known.contains(key) {
      let near = known.min { Levenshtein.distance($0, key) < Levenshtein.distance($1, key) } ?? ""
      throw fail(
        "unknown key \"\(place)\(key)\"; did you mean \"\(near)\"? Known keys: \(known.joined(separator: ", "))")
    }
  }

  /// A non-empty string, or a number written out (ids are often numbers).
  func identifier(_ object: [String: Any], _ key: String) throws -> String {
    if let text = object[key] as? String {
      guard !text.isEmpty else { throw fail("\"\(key)\" is empty") }
      return text
    }
    if let number = object[key] as? NSNumber, !number.isBoolean, number.doubleValue == number.doubleValue.rounded() {
      return number.stringValue
    }
    throw fail(object[key] == nil ? "\"\(key)\" is missing" : "\"\(key)\" must be a string")
  }

  func text(_ object: [String: Any], _ key: String, at place: String = "") throws -> String {
    guard let value = object[key] else { throw fail("\"\(place)\(key)\" is missing") }
    guard let text = value as? String else { throw fail("\"\(place)\(key)\" must be a string") }
    return text
  }

  func optionalText(_ object: [String: Any], _ key: String, at place: String = "") throws -> String? {
    guard let value = object[key], !(value is NSNull) else { return nil }
    guard let text = value as? String else { throw fail("\"\(place)\(key)\" must be a string") }
    return text
  }

  /// Seconds as a number, or an ISO 8601 date.
  func optionalTime(_ object: [String: Any], _ key: String, at place: String = "") throws -> Double? {
    guard let value = object[key], !(value is NSNull) else { return nil }
    if let number = value as? NSNumber, !number.isBoolean { return number.doubleValue }
    if let text = value as? String {
      if let seconds = Double(text), seconds.isFinite { return seconds }
      if let date = ISO8601DateFormatter().date(from: text) { return date.timeIntervalSince1970 }
      let day = ISO8601DateFormatter()
      day.formatOptions = [.withFullDate]
      if let date = day.date(from: text) { return date.timeIntervalSince1970 }
    }
    throw fail("\"\(place)\(key)\" must be a number of seconds or an ISO 8601 date (2024-05-01T12:00:00Z)")
  }

  func fail(_ message: String, column: Int? = nil) -> DatasetError {
    DatasetError(.malformed, message, path: path, line: line, column: column)
  }
}

extension NSNumber {
  /// Whether the number was written `true` or `false`.
  var isBoolean: Bool { String(cString: objCType) == "c" && (self == 0 || self == 1) }
}

/// Edit distance, for suggestions in error messages.
enum Levenshtein {
  /// Fewest insertions, deletions and substitutions of characters that turn `a` into `b`.
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let substituted = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, min(row[j], row[j + 1]) + 1)
      }
    }
    return row[b.count]
  }
}
