import Foundations
import Foundation
import StrictJSON
import Study
import WireProtocol

/// Results whose acknowledgement is still due, with their files: they survive the worker's death, so that no adapter of
/// an accepted result stays behind and no scratch folder for ever.
struct OpenResults {
  struct Entry: Equatable {
    var trial: Int
    var files: [LocalArtifact]
  }

  private(set) var entries: [AttemptToken: Entry] = [:]
  private let file: URL

  /// - Parameter file: where the list is kept; a list that cannot be read is empty.
  init(file: URL) {
    self.file = file
    guard let data = try? Data(contentsOf: file), case .array(let values)? = try? JSONValue(parsing: [UInt8](data))
    else { return }
    for value in values {
      guard var fields = try? TrainerFields(value, at: ""), let token = try? fields.integer("attempt"),
        let trial = try? fields.integer("trial"), case .array(let files)? = fields.take("files")
      else { continue }
      entries[AttemptToken(token)] = Entry(trial: trial, files: files.compactMap { try? LocalArtifact(json: $0) })
    }
  }

  /// Whether no result with files waits for its acknowledgement.
  var holdsNoFiles: Bool { entries.values.allSatisfy(\.files.isEmpty) }

  mutating func add(_ token: AttemptToken, _ entry: Entry) throws {
    entries[token] = entry
    try save()
  }

  mutating func remove(_ token: AttemptToken) throws {
    guard entries.removeValue(forKey: token) != nil else { return }
    try save()
  }

  mutating func removeAll() throws {
    entries = [:]
    try save()
  }

  private func save() throws {
    let values = entries.sorted { $0.key < $1.key }.map { token, entry -> JSONValue in
      [
        "attempt": .integer(token.rawValue), "trial": .integer(entry.trial),
        "files": .array(entry.files.map(\.json)),
      ]
    }
    try AtomicFile.write(Data(JSONValue.array(values).serialized()), to: file)
  }
}
