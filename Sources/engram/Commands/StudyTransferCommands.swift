import ArgumentParser
import Console
import Experiment
import Foundation
import Foundations
import Report
import Study
import StudyDatabase

extension StudyCommand {
  struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import", abstract: "Take in a study that engram study export has written.",
      discussion: """
        Everything comes as it was: identifier, seeds, trials, attempts, events, results with standard errors, \
        provenance. Refused, with nothing changed: a name or study that is here already (4), a format or schema of a \
        newer engram (6), a file that was damaged, cut or edited (5).
        """)
    @Argument(help: "The exported folder or file; - reads standard input.") var source: String
    @OptionGroup var runs: RunsOptions

    func run() throws {
      var isFolder: ObjCBool = false
      let exists = FileManager.default.fileExists(atPath: source, isDirectory: &isFolder)
      guard source == "-" || exists else {
        throw CommandError(.notFound, "\(source): no such file or folder. Check the path")
      }
      let record = isFolder.boolValue && source != "-" ? try takeFolder() : try takeText()
      let name = record.definition.name
      Terminal.print(
        "imported \(runs.folder.appendingPathComponent(name).path): \(ExportCommand.describe(record))")
      let running = StudySummary(record).count(.running)
      if running > 0 { Terminal.print("\(running) trials ran when it was exported; they run again when it goes on") }
      Terminal.print("look at it with: engram study show \(name); go on with its own study file: engram search FILE")
    }

    private func takeText() throws -> StudyRecord {
      let data =
        source == "-" ? FileHandle.standardInput.readDataToEndOfFile() : try Self.read(source)
      guard !data.starts(with: Data("SQLite format 3".utf8)) else {
        throw CommandError(.usage, "\(source) is the database itself: name its folder instead")
      }
      let archive = try StudyArchive(data, name: source == "-" ? "standard input" : source)
      let record = archive.record
      _ = try StudyInstallation.install(record.definition, in: runs) { folder in
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
      _ = try StudyInstallation.install(record.definition, in: runs) { copy in
        try observer.backup(to: copy.database)
        _ = try StudyInstallation.copyFiles(
          of: record.trials, from: folder, to: copy, .foreign, further: ["adapter", "comparison.json"])
      }
      return record
    }
  }
}
