import Foundations
import Foundation
import Study
import StudyDatabase

/// Takes in what ``StudyExport`` has written: complete, or not at all.
package struct StudyImport {
  /// As the user wrote it; - is standard input.
  private let source: String
  private let studies: StudiesFolder

  package init(_ source: String, into studies: StudiesFolder) {
    self.source = source
    self.studies = studies
  }

  package func take() throws -> StudyRecord {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: source, isDirectory: &isFolder)
    guard source == "-" || exists else {
      throw CommandError(.notFound, "\(source): no such file or folder. Check the path")
    }
    return isFolder.boolValue && source != "-" ? try takeFolder() : try takeText()
  }

  private func takeText() throws -> StudyRecord {
    let data =
      source == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try Self.read(source)
    guard !data.starts(with: Data("SQLite format 3".utf8)) else {
      throw CommandError(.usage, "\(source) is the database itself: name its folder instead")
    }
    let archive = try StudyArchive(data, name: source == "-" ? "standard input" : source)
    let record = archive.record
    _ = try StudyInstallation.install(record.definition, in: studies) { folder in
      try StudyInstallation.write(
        record.definition, budget: record.header.budget, archive.transition, into: folder)
      // What was stored must be what was read.
      guard try StudyArchive(StudyObserver(folder)) == archive else {
        throw CommandError(
          .storage, "\(source) did not come back as it was; nothing was imported. Please report this")
      }
    }
    return record
  }

  /// Reads a regular file; a FIFO or device would be waited for without end.
  private static func read(_ source: String) throws -> Data {
    let url = URL(fileURLWithPath: source)
    let type = try FileManager.default.attributesOfItem(atPath: url.resolvingSymlinksInPath().path)[.type]
    guard type as? FileAttributeType == .typeRegular else {
      throw CommandError(
        .usage, "\(source) is no regular file. Pass what a program writes on standard input: engram study import -")
    }
    return try Data(contentsOf: url)
  }

  private func takeFolder() throws -> StudyRecord {
    let folder = StudyFolder(URL(fileURLWithPath: source, isDirectory: true))
    guard folder.exists else {
      throw CommandError(.notFound, "\(source) holds no study (no study.sqlite in it)")
    }
    // Nothing of it is opened that is not a file of its own.
    let foreign = try ForeignFolder(folder.url)
    for name in ["study.sqlite", "study.sqlite-wal", "study.sqlite-shm"] { try foreign.requireFile(name) }
    let observer = try StudyObserver(folder)
    let record = try observer.load()
    _ = try StudyInstallation.install(record.definition, in: studies) { copy in
      try observer.backup(to: copy.database)
      _ = try StudyInstallation.copyFiles(
        of: record.trials, from: folder, to: copy, .foreign, further: ["adapter", "comparison.json"])
    }
    return record
  }
}
