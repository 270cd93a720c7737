import Foundation

/// Files that tests read: reference numbers (`Fixtures/goldens`, with provenance in their README files) and small inputs.
public enum Fixtures {
  /// `Tests/Fixtures` of this checkout.
  public static let directory: URL = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Fixtures")

  /// The file or folder at `path` below `Tests/Fixtures`.
  public static func url(_ path: String) -> URL { directory.appendingPathComponent(path) }

  /// Decodes a JSON fixture.
  public static func decode<T: Decodable>(_ type: T.Type, from path: String) throws -> T {
    try JSONDecoder().decode(type, from: Data(contentsOf: url(path)))
  }

  /// A JSON fixture as dictionaries, arrays and numbers.
  public static func json(_ path: String) throws -> [String: Any] {
    let value = try JSONSerialization.jsonObject(with: Data(contentsOf: url(path)))
    return value as? [String: Any] ?? [:]
  }
}

/// A new empty folder that lives as long as the value; removed when it is released.
public final class TemporaryFolder: Sendable {
  public let url: URL
  public init(_ name: String = "engram-test") throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("\(name)-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }
  deinit { try? FileManager.default.removeItem(at: url) }
}

extension TemporaryFolder {
  public func write(_ text: String, _ name: String) throws {
    try Data(text.utf8).write(to: url.appendingPathComponent(name))
  }

  /// `users.jsonl` and `samples.jsonl`: three users with an item of history each, four samples for each of them.
  public func writeSmallDataset() throws {
    try write(
      (0..<3).map { #"{"id":"u\#($0)","history":[{"kind":"post","text":"i like item \#($0)"}]}"# }.joined(
        separator: "\n"),
      "users.jsonl")
    try write(
      (0..<12).map { #"{"id":"s\#($0)","user":"u\#($0 % 3)","query":"what \#($0)","response":"item \#($0)"}"# }
        .joined(separator: "\n"), "samples.jsonl")
  }
}
