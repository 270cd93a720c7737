import Foundations
import Foundation
import Report
import Study
import StudyDatabase

/// Copies a study, also one that is running: into a folder, or as text.
package struct StudyExport {
  private let observer: StudyObserver
  private let studies: StudiesFolder
  private let study: String
  /// As the user wrote it; - is standard output.
  private let output: String
  private let target: URL
  private let withComparison: Bool

  private var isText: Bool { output == "-" || output.hasSuffix(".jsonl") }

  /// - Parameters:
  ///   - output: a folder, FILE.jsonl or -; refused where something is there.
  ///   - withComparison: whether a folder gets the comparison, which quotes a person.
  package init(of study: String, in studies: StudiesFolder, to output: String, withComparison: Bool) throws {
    observer = try studies.observer(study)
    target = URL(fileURLWithPath: output, isDirectory: false)
    var status = stat()
    if output != "-", lstat(target.path, &status) == 0 {
      throw CommandError(.conflict, "\(output) exists already. Choose another place")
    }
    self.studies = studies
    self.study = study
    self.output = output
    self.withComparison = withComparison
    // What follows sees one moment of a study that goes on.
    try observer.freeze()
  }

  /// - Parameters:
  ///   - sink: standard output, for text that goes there.
  ///   - say: takes what was done.
  ///   - warn: takes what is wrong with the study.
  package func write(
    to sink: @escaping (Data) throws -> Void, say: (String) -> Void, warn: (String) -> Void
  ) throws {
    if isText { return try exportText(to: sink, say: say, warn: warn) }
    try exportFolder(say: say, warn: warn)
  }

  private func exportFolder(say: (String) -> Void, warn: (String) -> Void) throws {
    let record = try observer.load()
    warnOfAlterations(warn)
    let scratch = try ScratchFolder(in: target.deletingLastPathComponent(), purpose: "export")
    // It goes with its last use: not before everything is in place.
    defer { withExtendedLifetime(scratch) {} }
    let copy = StudyFolder(scratch.url.appendingPathComponent("study", isDirectory: true))
    try PrivateFolder.make(copy.url)
    try observer.backup(to: copy.database)
    let further = withComparison ? ["adapter", "comparison.json"] : ["adapter"]
    let copied = try StudyInstallation.copyFiles(
      of: record.trials, from: studies.study(study), to: copy, .own, further: further)
    try FileManager.default.moveItem(at: copy.url, to: target)
    try syncFolder(target.deletingLastPathComponent())
    for problem in copied.leftOut { warn("left out: \(problem)") }
    say(
      "copied to \(output): \(StudySummary(record).size)\(copied.files > 0 ? ", \(copied.files) files" : "")")
    if FileManager.default.fileExists(atPath: target.appendingPathComponent("comparison.json").path) {
      say(
        "its comparison.json quotes a person (a query, its answer, the replies): think before you pass it on, or export "
          + "with --no-comparison")
    }
  }

  private func exportText(
    to sink: @escaping (Data) throws -> Void, say: (String) -> Void, warn: (String) -> Void
  ) throws {
    let archive: StudyArchive
    do {
      archive = try StudyArchive(observer)
    } catch let error as StudyError where [.corrupt, .inputOutput].contains(error.code) {
      return try salvage(to: sink, after: error)
    }
    warnOfAlterations(warn)
    try writeText(to: sink) { try archive.write(to: $0) }
    if output != "-" {
      say("written to \(output): \(StudySummary(archive.record).size), \(archive.events.count) events")
    }
  }

  /// Writes what can be read of a damaged study, and fails nevertheless.
  private func salvage(to sink: @escaping (Data) throws -> Void, after error: StudyError) throws {
    let salvage = StudySalvage(observer)
    guard !salvage.isEmpty else { throw error }
    try writeText(to: sink) { try salvage.write(to: $0) }
    let place = output == "-" ? "" : " to \(output)"
    let problems = salvage.problems.isEmpty ? ["\(error)"] : salvage.problems
    throw CommandError(
      .storage,
      "\(study) is damaged; what can still be read was written\(place): \(salvage.counts). Not: "
        + problems.prefix(3).joined(separator: "; ") + (problems.count > 3 ? "; and \(problems.count - 3) more" : "")
        + ". It is for reading: a damaged study cannot be imported")
  }

  private func writeText(
    to sink: @escaping (Data) throws -> Void, _ write: (_ sink: (Data) throws -> Void) throws -> Void
  ) throws {
    if output == "-" { return try write(sink) }
    let scratch = try ScratchFolder(in: target.deletingLastPathComponent(), purpose: "export")
    // It goes with its last use: not before everything is in place.
    defer { withExtendedLifetime(scratch) {} }
    let partial = scratch.url.appendingPathComponent("study.jsonl")
    try AtomicFile.write(partial) { file in try write { try file.write($0) } }
    try FileManager.default.moveItem(at: partial, to: target)
    try syncFolder(target.deletingLastPathComponent())
  }

  /// Says that rows are not what they were: a copy would make them look sound.
  private func warnOfAlterations(_ warn: (String) -> Void) {
    let problems: [String]
    do { problems = try observer.alterations(limit: 5) } catch {
      // What is written was read; something else of the file cannot be.
      problems = ["the database is damaged elsewhere (\(error))"]
    }
    for problem in problems { warn("warning: \(problem); engram doctor says more") }
  }
}
