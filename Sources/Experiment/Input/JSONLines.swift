import Foundation
import Foundations
import Personalization
import Report

/// Reads JSON Lines with errors that name file, line and, where it is known, column.
package enum JSONLines {
  package static func read<T: Decodable>(_ type: T.Type, from path: String) throws -> [T] {
    try numbered(type, from: path).map(\.value)
  }

  /// The values with the numbers of their lines, from 1; blank lines are left out.
  package static func numbered<T: Decodable>(_ type: T.Type, from path: String) throws -> [(line: Int, value: T)] {
    try numbered(type, in: InputFile(path))
  }

  package static func numbered<T: Decodable>(_ type: T.Type, in file: InputFile) throws -> [(line: Int, value: T)] {
    try file.lines.map { number, text in (number, try value(type, text, at: "\(file.place):\(number)")) }
  }

  /// The value of one line.
  ///
  /// - Throws: `CommandError` that begins with `place`.
  package static func value<T: Decodable>(_ type: T.Type, _ text: Data, at place: String) throws -> T {
    // Decoders let keys that stand twice pass, and do not say where they stopped.
    if let problem = JSONLineCheck.problem(in: text) {
      throw CommandError(
        .usage,
        "\(place):\(problem.column): not valid JSON: \(PrintableText.line(problem.reason)). Correct the line and try again"
      )
    }
    do {
      return try JSONDecoder().decode(type, from: text)
    } catch let error as DecodingError {
      throw CommandError(.usage, "\(place): \(PrintableText.line(describe(error))). Correct the line and try again")
    } catch {
      throw CommandError(.usage, "\(place): \(PrintableText.line("\(error)"))")
    }
  }

  /// What a decoding error means, with its key; no names of Swift's types.
  package static func describe(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
      let keys = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
      return keys.isEmpty ? "" : " at \(keys.joined(separator: "."))"
    }
    switch error {
    case .dataCorrupted(let context):
      if let number = unfitNumber(context.debugDescription) {
        return "\(number) is no whole number of the range that is expected\(path(context))"
      }
      let isText = context.codingPath.isEmpty && context.underlyingError != nil
      return isText ? "not valid JSON" : "\(context.debugDescription)\(path(context))"
    case .keyNotFound(let key, let context): return "the key '\(key.stringValue)' is missing\(path(context))"
    case .typeMismatch(let type, let context): return "\(mismatch(type, context.debugDescription))\(path(context))"
    case .valueNotFound(let type, let context): return "expected \(words(for: type)), found null\(path(context))"
    @unknown default: return "\(error)"
    }
  }

  /// The number in angle brackets of Foundation's message that it does not fit into a type.
  private static func unfitNumber(_ text: String) -> Substring? {
    guard text.contains("does not fit"), let start = text.firstIndex(of: "<"), let end = text.firstIndex(of: ">"),
      start < end
    else { return nil }
    return text[text.index(after: start)..<end]
  }

  private static func mismatch(_ type: any Any.Type, _ text: String) -> String {
    let found = [
      "array": "a list", "dictionary": "an object", "object": "an object", "string": "a text",
      "number": "a number", "bool": "true or false", "null": "null",
    ]
    let lower = text.lowercased()
    let tail = lower.components(separatedBy: "but found ").dropFirst().first ?? ""
    let what = found.first { tail.contains($0.key) }?.value
    return "expected \(words(for: type))" + (what.map { ", found \($0)" } ?? "")
  }

  private static func words(for type: any Any.Type) -> String {
    switch type {
    case is String.Type: return "a text"
    case is Bool.Type: return "true or false"
    case is Double.Type, is Float.Type: return "a number"
    case is any FixedWidthInteger.Type: return "a whole number"
    default:
      let name = "\(type)"
      return name.hasPrefix("Array") || name.hasPrefix("[Any") || name.hasPrefix("UnkeyedDecod")
        ? "a list" : "an object"
    }
  }
}
