import ArgumentParser
import Foundation
import Report

/// How data is printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
  case table, json, csv
}

struct FormatOptions: ParsableArguments {
  @Option(name: .long, help: "How to print: table, json or csv.")
  var format: OutputFormat = .table
}

/// Canonical JSON for scripts: sorted keys, no escaped slashes, one value per line.
enum JSON {
  static func line(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return try text(value, encoder)
  }

  static func pretty(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return try text(value, encoder)
  }

  private static func text(_ value: some Encodable, _ encoder: JSONEncoder) throws -> String {
    do {
      return PrintableText.json(String(decoding: try encoder.encode(value), as: UTF8.self))
    } catch EncodingError.invalidValue(let value, let context) {
      // Numbers that JSON does not have become null where a type allows it; elsewhere they are an error.
      let path = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
      throw CommandError(.unexpected, "\(path) is \(value), which JSON cannot hold. Use another --format")
    }
  }
}

extension TextTable {
  /// Prints the table as text or CSV; JSON is the caller's, as it knows the types.
  func print(as format: OutputFormat) {
    Terminal.print(format == .csv ? csv : text)
  }
}
