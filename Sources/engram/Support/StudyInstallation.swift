import Coordinator
import Foundation
import Study
import StudyDatabase

/// Puts a study into the folder of all studies: complete, or not at all.
enum StudyInstallation {
  /// Refuses a name or identifier that is taken.
  static func checkFree(_ definition: StudyDefinition, in runs: RunsOptions) throws {
    let target = runs.folder.appendingPathComponent(definition.name, isDirectory: true)
    guard !FileManager.default.fileExists(atPath: target.path) else {
      throw CommandError(
        .conflict,
        "\(target.path) exists already; nothing was changed. Move it aside (engram study delete \(definition.name)), or "
          + "choose another folder of studies with --runs")
    }
    for name in runs.names() {
      guard let other = try? runs.observer(name).load().definition else { continue }
      guard other.identifier != definition.identifier else {
        throw CommandError(
          .conflict,
          "the same study is here as \(name) already (\(other.identifier)); two copies that both go on could be mixed "
            + "up. Look at that one, or choose another folder of studies with --runs")
      }
    }
  }

  /// Makes the study's folder beside its place with `build`, checks what is in it, and moves it there.
  static func install(
    _ definition: StudyDefinition, in runs: RunsOptions, _ build: (StudyFolder) throws -> Void
  ) throws -> StudyFolder {
    guard StudyConfiguration.isUsableName(definition.name) else {
      throw CommandError(.usage, "'\(definition.name)' cannot be a study's name: it would be a folder's name")
    }
    try checkFree(definition, in: runs)
    let partial = runs.folder.appendingPathComponent(
      ".\(definition.name).partial-\(ProcessInfo.processInfo.processIdentifier)", isDirectory: true)
    try FileManager.default.createDirectory(at: partial, withIntermediateDirectories: true)
    do {
      let folder = StudyFolder(partial)
      try build(folder)
      try check(folder, definition)
      let target = runs.folder.appendingPathComponent(definition.name, isDirectory: true)
      try FileManager.default.moveItem(at: partial, to: target)
      return StudyFolder(target)
    } catch {
      try? FileManager.default.removeItem(at: partial)
      throw error
    }
  }

  /// A study that is not sound is not taken.
  private static func check(_ folder: StudyFolder, _ definition: StudyDefinition) throws {
    let observer = try StudyObserver(folder)
    var problems = try observer.integrityProblems()
    problems += try HistoryChecker(policy: try StoredStudy.policy(definition)).check(observer).map(\.description)
    guard problems.isEmpty else {
      throw CommandError(
        .storage, "the study is not sound and was not taken: \(problems.prefix(3).joined(separator: "; "))")
    }
  }

  /// Writes a study's content as one step.
  static func write(_ definition: StudyDefinition, budget: Int, _ step: Transition, into folder: StudyFolder) throws {
    let store = try SQLiteStudyStore(folder, beginning: (definition: definition, budget: budget))
    if !step.isEmpty { try store.commit(step) }
    try store.close()
  }

  /// Copies the artifacts of these trials (and further files of the folder); what is not there any more is left out.
  ///
  /// - Returns: the number of files and folders copied.
  @discardableResult
  static func copyFiles(
    of trials: [Trial], from source: StudyFolder, to target: StudyFolder, further: [String] = []
  ) throws -> Int {
    let references = trials.compactMap(\.result).flatMap { $0.artifacts ?? [] }.map { "artifacts/\($0.sha256)" }
    var copied = 0
    for path in Set(references + further).sorted() {
      let from = source.url.appendingPathComponent(path)
      let to = target.url.appendingPathComponent(path)
      guard FileManager.default.fileExists(atPath: from.path) else { continue }
      try FileManager.default.createDirectory(
        at: to.deletingLastPathComponent(), withIntermediateDirectories: true)
      do {
        try FileManager.default.copyItem(at: from, to: to)
        copied += 1
      } catch let error as CocoaError where error.code == .fileReadNoSuchFile || error.code == .fileNoSuchFile {
        // It left the front while this ran.
        continue
      }
    }
    return copied
  }
}
