import Foundation
import Foundations
import LanguageModel

extension Dataset {
  /// Writes `users.jsonl` and `samples.jsonl` into `folder` (made if need be); each file replaces an old one at once.
  ///
  /// - Throws: `DatasetError.unwritable`.
  package func write(to folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      try AtomicFile.write(
        users.map(Self.line).joined(), to: folder.appendingPathComponent("users.jsonl"), mode: nil)
      try AtomicFile.write(
        samples.map(Self.line).joined(), to: folder.appendingPathComponent("samples.jsonl"), mode: nil)
    } catch {
      throw DatasetError(
        .unwritable, "can not write the dataset (\(FileProblem.reason(error))); check rights and free space",
        path: folder.path)
    }
  }

  /// SHA-256 over the canonical form of all records in order, as 64 hexadecimal digits.
  ///
  /// The same records give the same fingerprint whatever the layout of the files they were read from.
  package var fingerprint: String {
    var hash = SHA256()
    for user in users { hash.update(Self.line(user)) }
    for sample in samples { hash.update(Self.line(sample)) }
    return hash.hex
  }

  private static func line(_ user: User) -> String {
    let items = user.history.map { item in
      object([
        ("kind", quoted(item.kind)), ("text", quoted(item.text)), ("context", item.context.map(quoted)),
        ("time", item.time.map(number)),
      ])
    }
    let profile = object(user.profile.sorted { $0.key < $1.key }.map { ($0.key, quoted($0.value)) })
    return object([
      ("id", quoted(user.id)), ("profile", profile), ("history", "[" + items.joined(separator: ",") + "]"),
    ]) + "\n"
  }

  private static func line(_ sample: Sample) -> String {
    object([
      ("id", quoted(sample.id)), ("user", quoted(sample.user)), ("query", quoted(sample.query)),
      ("context", sample.context.map(quoted)), ("response", quoted(sample.response)),
      ("time", sample.time.map(number)), ("split", sample.split.map { quoted($0.rawValue) }),
    ]) + "\n"
  }

  private static func object(_ entries: [(key: String, value: String?)]) -> String {
    "{" + entries.compactMap { entry in entry.value.map { quoted(entry.key) + ":" + $0 } }.joined(separator: ",") + "}"
  }

  private static func number(_ value: Double) -> String {
    value == value.rounded() && abs(value) < 0x1p53 ? String(Int64(value)) : String(value)
  }

  /// A JSON string; everything beyond ASCII control characters, quotes and backslashes is written as it is.
  static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case "\n": out += "\\n"
      case "\r": out += "\\r"
      case "\t": out += "\\t"
      case _ where scalar.value < 0x20 || scalar.value == 0x2028 || scalar.value == 0x2029:
        out += String(format: "\\u%04x", scalar.value)
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
