import Console
import Coordinator
import Experiment
import Foundation
import Foundations
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
    let isNew = !FileManager.default.fileExists(atPath: runs.folder.path)
    do {
      let scratch = try ScratchFolder(in: runs.folder, purpose: "install")
      // It goes with its last use: not before everything is in place.
      defer { withExtendedLifetime(scratch) {} }
      let folder = StudyFolder(scratch.url.appendingPathComponent(definition.name, isDirectory: true))
      try PrivateFolder.make(folder.url)
      try build(folder)
      try check(folder, definition)
      let target = runs.folder.appendingPathComponent(definition.name, isDirectory: true)
      try FileManager.default.moveItem(at: folder.url, to: target)
      try syncFolder(runs.folder)
      return StudyFolder(target)
    } catch {
      // Nothing is left behind; a folder that has something in it stays.
      if isNew { rmdir(runs.folder.path) }
      throw error
    }
  }

  /// A study that is not sound is not taken.
  private static func check(_ folder: StudyFolder, _ definition: StudyDefinition) throws {
    let observer = try StudyObserver(folder)
    var problems = try observer.integrityProblems()
    problems += try observer.alterations()
    problems += try StoredStudy.checker(definition, path: folder.url.path).check(observer).map(\.description)
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
}
