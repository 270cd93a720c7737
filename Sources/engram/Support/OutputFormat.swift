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
    // Numbers that JSON does not have become null where a type allows it; elsewhere they are an error.
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }

  static func pretty(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}

extension TextTable {
  /// Prints the table as text or CSV; JSON is the caller's, as it knows the types.
  func print(as format: OutputFormat) {
    Terminal.print(format == .csv ? csv : text)
  }
}

/// Reads JSON Lines with errors that name file and line.
enum JSONLines {
  static func read<T: Decodable>(_ type: T.Type, from path: String) throws -> [T] {
    try numbered(type, from: path).map(\.value)
  }

  /// The values with the numbers of their lines, from 1; blank lines are left out.
  static func numbered<T: Decodable>(_ type: T.Type, from path: String) throws -> [(line: Int, value: T)] {
    let data: Data
    do {
      data =
        path == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try Data(contentsOf: URL(fileURLWithPath: path))
    } catch {
      throw CommandError(.notFound, "\(path): cannot be read. Check the path and its permissions")
    }
    let place = path == "-" ? "standard input" : path
    let decoder = JSONDecoder()
    var values: [(line: Int, value: T)] = []
    for (index, line) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated() {
      if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
      do {
        values.append((index + 1, try decoder.decode(type, from: Data(line))))
      } catch let error as DecodingError {
        throw CommandError(.usage, "\(place):\(index + 1): \(describe(error)). Correct the line and try again")
      } catch {
        throw CommandError(.usage, "\(place):\(index + 1): \(error)")
      }
    }
    return values
  }

  /// What a decoding error means, with its key.
  static func describe(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
      let keys = context.codingPath.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }
      return keys.isEmpty ? "" : " at \(keys.joined(separator: "."))"
    }
    switch error {
    case .dataCorrupted(let context):
      let isText = context.codingPath.isEmpty
      return isText ? "not valid JSON" : "\(context.debugDescription)\(path(context))"
    case .keyNotFound(let key, let context): return "the key '\(key.stringValue)' is missing\(path(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "\(context.debugDescription)\(path(context))"
    @unknown default: return "\(error)"
    }
  }
}
