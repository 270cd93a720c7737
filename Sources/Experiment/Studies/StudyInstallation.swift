import Coordinator
import Foundations
import Foundation
import Study
import StudyDatabase

/// Puts a study into the folder of all studies: complete, or not at all.
package enum StudyInstallation {
  /// Refuses a name or identifier that is taken.
  package static func checkFree(_ definition: StudyDefinition, in studies: StudiesFolder) throws {
    let target = studies.url.appendingPathComponent(definition.name, isDirectory: true)
    guard !FileManager.default.fileExists(atPath: target.path) else {
      throw CommandError(
        .conflict,
        "\(target.path) exists already; nothing was changed. Move it aside (engram study delete \(definition.name)), or "
          + "choose another folder of studies with --runs")
    }
    for name in studies.names() {
      // A study that cannot be read is no copy that could go on.
      guard let other = try? studies.observer(name).load().definition else { continue }
      guard other.identifier != definition.identifier else {
        throw CommandError(
          .conflict,
          "the same study is here as \(name) already (\(other.identifier)); two copies that both go on could be mixed "
            + "up. Look at that one, or choose another folder of studies with --runs")
      }
    }
  }

  /// Makes the study's folder beside its place with `build`, checks what is in it, and moves it there.
  package static func install(
    _ definition: StudyDefinition, in studies: StudiesFolder, _ build: (StudyFolder) throws -> Void
  ) throws -> StudyFolder {
    guard StudyConfiguration.isUsableName(definition.name) else {
      throw CommandError(.usage, "'\(definition.name)' cannot be a study's name: it would be a folder's name")
    }
    try checkFree(definition, in: studies)
    let isNew = !FileManager.default.fileExists(atPath: studies.url.path)
    do {
      let scratch = try ScratchFolder(in: studies.url, purpose: "install")
      // It goes with its last use: not before everything is in place.
      defer { withExtendedLifetime(scratch) {} }
      let folder = StudyFolder(scratch.url.appendingPathComponent(definition.name, isDirectory: true))
      try PrivateFolder.make(folder.url)
      try build(folder)
      try check(folder, definition)
      let target = studies.url.appendingPathComponent(definition.name, isDirectory: true)
      try FileManager.default.moveItem(at: folder.url, to: target)
      try syncFolder(studies.url)
      return StudyFolder(target)
    } catch {
      // Nothing is left behind; a folder that has something in it stays.
      if isNew { rmdir(studies.url.path) }
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
  package static func write(_ definition: StudyDefinition, budget: Int, _ step: Transition, into folder: StudyFolder)
    throws
  {
    let store = try SQLiteStudyStore(folder, beginning: (definition: definition, budget: budget))
    if !step.isEmpty { try store.commit(step) }
    try store.close()
  }
}
