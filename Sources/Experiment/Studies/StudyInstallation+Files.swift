import Foundations
import Foundation
import Study
import StudyDatabase

/// The files of a study beside its database.
extension StudyInstallation {
  /// Whose folder is copied from.
  package enum Source {
    /// The user's own: its folders may be links, and what is damaged is left out.
    case own
    /// Somebody else's: nothing is followed, and anything unexpected is a reason to take nothing.
    case foreign
  }

  /// What was copied.
  package struct Copied {
    package var files = 0
    /// Files that are not what their name says, in words.
    package var leftOut: [String] = []
  }

  /// Largest file of an adapter that is taken, in bytes.
  package static let adapterLimit = 64 << 30
  /// Most files of an adapter's folder that are taken.
  package static let adapterFiles = 64
  /// Largest comparison that is taken, in bytes.
  package static let comparisonLimit = 64 << 20

  /// Copies the artifacts of these trials, the exported adapter and the comparison; what is not there is left out.
  ///
  /// Only regular files, no links, nothing larger than it should be, and every artifact is what its digest says.
  package static func copyFiles(
    of trials: [Trial], from folder: StudyFolder, to target: StudyFolder, _ source: Source, further: [String] = []
  ) throws -> Copied {
    var copied = Copied()
    let root = try ForeignFolder(folder.url)
    if let artifacts = try subfolder("artifacts", of: root, source) {
      let references = trials.compactMap(\.result).flatMap { $0.artifacts ?? [] }
      let unique = Dictionary(references.map { ($0.sha256, $0) }, uniquingKeysWith: { first, _ in first })
      for reference in unique.values.sorted(by: { $0.sha256 < $1.sha256 }) {
        try copy(reference, from: artifacts, to: target, source, &copied)
      }
    }
    if further.contains("adapter"), let adapter = try subfolder("adapter", of: root, source) {
      let names = try adapter.names()
      guard names.count <= adapterFiles else {
        throw CommandError(
          .refused, "\(adapter.path) holds \(names.count) files, an adapter has at most \(adapterFiles)")
      }
      let to = target.url.appendingPathComponent("adapter", isDirectory: true)
      try PrivateFolder.make(to)
      for name in names {
        if try adapter.copy(name, to: to.appendingPathComponent(name), limit: adapterLimit) != nil { copied.files += 1 }
      }
    }
    if further.contains("comparison.json"),
      try root.copy(
        "comparison.json", to: target.url.appendingPathComponent("comparison.json"), limit: comparisonLimit) != nil
    {
      copied.files += 1
    }
    return copied
  }

  private static func subfolder(_ name: String, of root: ForeignFolder, _ source: Source) throws -> ForeignFolder? {
    if case .foreign = source { return try root.folder(name) }
    let url = URL(fileURLWithPath: root.path).appendingPathComponent(name, isDirectory: true)
    return FileManager.default.fileExists(atPath: url.path) ? try ForeignFolder(url) : nil
  }

  private static func copy(
    _ reference: ArtifactReference, from artifacts: ForeignFolder, to target: StudyFolder, _ source: Source,
    _ copied: inout Copied
  ) throws {
    guard ArtifactReference.isDigest(reference.sha256) else {
      throw CommandError(.refused, "an artifact's digest has 64 hexadecimal digits; nothing was taken")
    }
    let folder = target.url.appendingPathComponent("artifacts", isDirectory: true)
    try PrivateFolder.make(folder)
    let to = folder.appendingPathComponent(reference.sha256)
    var hash = SHA256()
    let bytes = try artifacts.copy(reference.sha256, to: to, limit: Int(reference.bytes)) {
      hash.update($0)
    }
    guard let bytes else { return }
    if hash.hex == reference.sha256, Int64(bytes) == reference.bytes {
      copied.files += 1
      return
    }
    unlink(to.path)
    let problem = "\(artifacts.path)/\(reference.sha256) is not what its name says"
    if case .foreign = source {
      throw CommandError(.storage, "\(problem). It was damaged or exchanged; nothing was taken. Export the study again")
    }
    copied.leftOut.append(problem)
  }
}
