import ArgumentParser
import Console
import Experiment
import Foundation
import Foundations
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

        The folder holds texts of a person: comparison.json has a query, its answer and the models' replies \
        (--no-comparison leaves it out), and adapters are trained on people's histories. All files are for their owner \
        only. Of a damaged study the text form writes what can still be read, says what could not, and ends with 5.
        """)
    @Argument(help: "Name of the study, or its folder.") var study: String
    @Option(help: "A folder, FILE.jsonl, or - ; must not exist.") var output: String
    @Flag(name: .customLong("no-comparison"), help: "Leave comparison.json out of the folder: it quotes a person.")
    var leavesComparisonOut = false
    @OptionGroup var runs: RunsOptions

    private var isText: Bool { output == "-" || output.hasSuffix(".jsonl") }

    func run() throws {
      let observer = try runs.observer(study)
      let target = URL(fileURLWithPath: output, isDirectory: false)
      var status = stat()
      if output != "-", lstat(target.path, &status) == 0 {
        throw CommandError(.conflict, "\(output) exists already. Choose another place")
      }
      // What follows sees one moment of a study that goes on.
      try observer.freeze()
      if isText { return try exportText(observer, to: target) }
      try exportFolder(observer, to: target)
    }

    private func exportFolder(_ observer: StudyObserver, to target: URL) throws {
      let record = try observer.load()
      Self.warn(observer)
      let scratch = try ScratchFolder(in: target.deletingLastPathComponent(), purpose: "export")
      // It goes with its last use: not before everything is in place.
      defer { withExtendedLifetime(scratch) {} }
      let copy = StudyFolder(scratch.url.appendingPathComponent("study", isDirectory: true))
      try PrivateFolder.make(copy.url)
      try observer.backup(to: copy.database)
      let further = leavesComparisonOut ? ["adapter"] : ["adapter", "comparison.json"]
      let copied = try StudyInstallation.copyFiles(
        of: record.trials, from: runs.study(study), to: copy, .own, further: further)
      try FileManager.default.moveItem(at: copy.url, to: target)
      try syncFolder(target.deletingLastPathComponent())
      for problem in copied.leftOut { Terminal.printError("left out: \(problem)") }
      Terminal.print(
        "copied to \(output): \(Self.describe(record))\(copied.files > 0 ? ", \(copied.files) files" : "")")
      if FileManager.default.fileExists(atPath: target.appendingPathComponent("comparison.json").path) {
        Terminal.print(
          "its comparison.json quotes a person (a query, its answer, the replies): think before you pass it on, or export "
            + "with --no-comparison")
      }
    }

    private func exportText(_ observer: StudyObserver, to target: URL) throws {
      let archive: StudyArchive
      do {
        archive = try StudyArchive(observer)
      } catch let error as StudyError where [.corrupt, .inputOutput].contains(error.code) {
        return try salvage(observer, to: target, after: error)
      }
      Self.warn(observer)
      try writeText(to: target) { try archive.write(to: $0) }
      if output != "-" {
        Terminal.print("written to \(output): \(Self.describe(archive.record)), \(archive.events.count) events")
      }
    }

    /// Writes what can be read of a damaged study, and fails nevertheless.
    private func salvage(_ observer: StudyObserver, to target: URL, after error: StudyError) throws {
      let salvage = StudySalvage(observer)
      guard !salvage.isEmpty else { throw error }
      try writeText(to: target) { try salvage.write(to: $0) }
      let place = output == "-" ? "" : " to \(output)"
      let problems = salvage.problems.isEmpty ? ["\(error)"] : salvage.problems
      throw CommandError(
        .storage,
        "\(study) is damaged; what can still be read was written\(place): \(salvage.counts). Not: "
          + problems.prefix(3).joined(separator: "; ") + (problems.count > 3 ? "; and \(problems.count - 3) more" : "")
          + ". It is for reading: a damaged study cannot be imported")
    }

    private func writeText(to target: URL, _ write: (_ sink: (Data) throws -> Void) throws -> Void) throws {
      if output == "-" { return try write { Terminal.write($0) } }
      let scratch = try ScratchFolder(in: target.deletingLastPathComponent(), purpose: "export")
      // It goes with its last use: not before everything is in place.
      defer { withExtendedLifetime(scratch) {} }
      let partial = scratch.url.appendingPathComponent("study.jsonl")
      try AtomicFile.write(partial) { file in try write { try file.write($0) } }
      try FileManager.default.moveItem(at: partial, to: target)
      try syncFolder(target.deletingLastPathComponent())
    }

    /// Says that rows are not what they were: a copy would make them look sound.
    private static func warn(_ observer: StudyObserver) {
      let problems: [String]
      do { problems = try observer.alterations(limit: 5) } catch {
        // What is written was read; something else of the file cannot be.
        problems = ["the database is damaged elsewhere (\(error))"]
      }
      for problem in problems { Terminal.printError("warning: \(problem); engram doctor says more") }
    }

    static func describe(_ record: StudyRecord) -> String {
      let summary = StudySummary(record)
      return "\(record.trials.count) trials (\(summary.finished) of \(record.header.budget) finished)"
    }
  }
}
