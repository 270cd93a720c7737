import ArgumentParser
import Foundation
import Report
import Study
import StudyDatabase

extension StudyCommand {
  struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Copy a study, also one that is running, to keep it or to move it.",
      discussion: """
        --output FOLDER makes a study's folder: database, kept adapters, comparison. --output FILE.jsonl makes one text \
        file (JSON Lines: definition, trials with their attempts, events, reports, warm starts, digest; no adapters); \
        - writes it to standard output. Both hold everything exactly and come back with engram study import:

          ssh HEAD engram study export quickstart --output - | engram study import -
        """)
    @Argument(help: "Name of the study, or its folder.") var study: String
    @Option(help: "A folder, FILE.jsonl, or - ; must not exist.") var output: String
    @OptionGroup var runs: RunsOptions

    func run() throws {
      let observer = try runs.observer(study)
      let target = URL(fileURLWithPath: output, isDirectory: false)
      if output != "-", FileManager.default.fileExists(atPath: target.path) {
        throw CommandError(.conflict, "\(output) exists already. Choose another place")
      }
      let isText = output == "-" || output.hasSuffix(".jsonl")
      let scratch = (isText ? FileManager.default.temporaryDirectory : target.deletingLastPathComponent())
        .appendingPathComponent(".engram-export-\(UUID().uuidString)", isDirectory: true)
      try FileManager.default.createDirectory(at: scratch, withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: scratch) }
      // A copy first: what follows sees one moment of a study that goes on.
      let copy = StudyFolder(scratch)
      try observer.backup(to: copy.database)
      let frozen = try StudyObserver(copy)
      if isText { return try writeText(StudyArchive(frozen), to: target) }
      let record = try frozen.load()
      let files = try StudyInstallation.copyFiles(
        of: record.trials, from: runs.study(study), to: copy, further: ["adapter", "comparison.json"])
      try FileManager.default.moveItem(at: scratch, to: target)
      Terminal.print("copied to \(output): \(Self.describe(record))\(files > 0 ? ", \(files) files" : "")")
    }

    private func writeText(_ archive: StudyArchive, to target: URL) throws {
      if output == "-" {
        return try archive.write { Terminal.write($0) }
      }
      let partial = target.deletingLastPathComponent().appendingPathComponent(".\(target.lastPathComponent).partial")
      guard FileManager.default.createFile(atPath: partial.path, contents: nil) else {
        throw CommandError(.storage, "\(output) cannot be written. Check the folder and its permissions")
      }
      do {
        let file = try FileHandle(forWritingTo: partial)
        try archive.write { try file.write(contentsOf: $0) }
        try file.synchronize()
        try file.close()
        try FileManager.default.moveItem(at: partial, to: target)
      } catch {
        try? FileManager.default.removeItem(at: partial)
        throw error
      }
      Terminal.print("written to \(output): \(Self.describe(archive.record)), \(archive.events.count) events")
    }

    static func describe(_ record: StudyRecord) -> String {
      let summary = StudySummary(record)
      return "\(record.trials.count) trials (\(summary.finished) of \(record.header.budget) finished)"
    }
  }

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
        source == "-"
        ? FileHandle.standardInput.readDataToEndOfFile() : try Data(contentsOf: URL(fileURLWithPath: source))
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

    private func takeFolder() throws -> StudyRecord {
      let folder = StudyFolder(URL(fileURLWithPath: source, isDirectory: true))
      guard folder.exists else {
        throw CommandError(.notFound, "\(source) holds no study (no study.sqlite in it)")
      }
      let observer = try StudyObserver(folder)
      let record = try observer.load()
      _ = try StudyInstallation.install(record.definition, in: runs) { copy in
        try observer.backup(to: copy.database)
        try StudyInstallation.copyFiles(
          of: record.trials, from: folder, to: copy, further: ["adapter", "comparison.json"])
      }
      return record
    }
  }
}
