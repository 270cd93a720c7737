import BayesianOptimization
import Foundation
import Report
import Study
import StudyDatabase
import Worker

/// A new study with the observations of another, in a changed space: planned, and made if wanted.
package struct Fork {
  /// `study fork --format json`.
  package struct Output: Encodable {
    var study: String
    var folder: String
    var from: StudyOrigin
    var budget: Int
    var carried: [StudyFork.Carried]
    var leftOut: [StudyFork.LeftOut]
  }

  private let study: String
  private let file: String
  private let studies: StudiesFolder
  private let source: StudyRecord
  private let origin: StudyOrigin
  private let definition: StudyDefinition
  private let budget: Int
  private let fork: StudyFork

  /// Plans it; nothing is made.
  ///
  /// - Parameters:
  ///   - study: the study to begin from: its name or folder.
  ///   - file: the new study's file.
  package init(
    of study: String, file: String, in studies: StudiesFolder, step: @escaping (StudyResources.Step) -> Void
  ) throws {
    self.study = study
    self.file = file
    self.studies = studies
    source = try studies.observer(study).load()
    let prepared = try PreparedStudy.prepare(path: file, step: step)
    try Self.checkComparable(prepared, with: source, study: study, file: file)
    origin = StudyOrigin(
      name: source.definition.name, identifier: source.definition.identifier, event: source.header.lastEvent)
    var definition = try prepared.definition
    definition.forkedFrom = origin
    guard definition.name != source.definition.name else {
      throw CommandError(
        .conflict, "\(file) has the source's name, '\(definition.name)'. Give it another study.name")
    }
    try StudyInstallation.checkFree(definition, in: studies)
    let fork = try Self.plan(prepared, source, definition)
    guard fork.carried.contains(where: { fork.state.trials[$0.trial].isInSearch }) else {
      let why = fork.leftOut.first.map { "; the first: trial \($0.source), \($0.reason)" } ?? ""
      throw CommandError(
        .conflict,
        "no trial of \(study) can be carried over\(why). Begin the study empty: engram search \(file)")
    }
    self.definition = definition
    self.fork = fork
    budget = prepared.configuration.budget
  }

  /// Makes the new study.
  ///
  /// - Returns: the files that were left out, in words.
  package func install() throws -> [String] {
    var leftOut: [String] = []
    _ = try StudyInstallation.install(definition, in: studies) { folder in
      try StudyInstallation.write(definition, budget: budget, fork.transition, into: folder)
      leftOut = try StudyInstallation.copyFiles(
        of: Array(fork.state.trials), from: studies.study(study), to: folder, .own
      ).leftOut
    }
    return leftOut
  }

  private static func plan(
    _ prepared: PreparedStudy, _ source: StudyRecord, _ definition: StudyDefinition
  ) throws -> StudyFork {
    let space = prepared.space
    return try StudyFork(
      of: source, as: definition, budget: prepared.configuration.budget,
      initial: prepared.configuration.sampler.initial, policy: prepared.policy,
      base: prepared.base.map { ($0, space.identity(of: $0)) },
      key: { configuration in
        try space.validate(configuration)
        return try space.key(configuration)
      }, time: Date().timeIntervalSince1970)
  }

  /// Refuses a file under which the source's values would mean something else.
  private static func checkComparable(
    _ prepared: PreparedStudy, with source: StudyRecord, study: String, file: String
  ) throws {
    let remedy = "Its values say nothing about the new study: begin that one empty with engram search \(file)"
    let stored = try StoredStudy.configuration(source.definition)
    let differences = try prepared.configuration.differences(from: stored).filter { !mayChange($0.key) }
    guard differences.isEmpty else {
      throw CommandError(
        .conflict,
        "\(study) was measured with other settings: \(differences.map(\.description).joined(separator: "; ")). "
          + (differences.allSatisfy { $0.isOfProgram }
            ? "If the program is the same under another name, first: engram study relocate \(study) FILE, with the "
              + "source's study file and the new command" : remedy))
    }
    for name in ["base", "data"] where prepared.fingerprints[name] != source.definition.fingerprints[name] {
      throw CommandError(.conflict, "\(study) was measured with another \(name) (by content). \(remedy)")
    }
  }

  /// Whether a key of the study file decides nothing about what a trial measures.
  private static func mayChange(_ key: String) -> Bool {
    if key == "space.placement" { return false }
    let free = ["name", "seed", "evaluator.seconds"]
    return free.contains(key) || ["space.", "sampler.", "objectives"].contains { key.hasPrefix($0) }
  }

  // MARK: What is said

  package var output: Output {
    Output(
      study: definition.name, folder: studies.new(definition.name).url.path, from: origin, budget: budget,
      carried: fork.carried, leftOut: fork.leftOut)
  }

  /// The trials that are not carried over, with the reason.
  package var leftOut: TextTable {
    var table = TextTable([("trial", .right), ("reason", .left), ("configuration", .left)])
    for left in fork.leftOut { table.add(["\(left.source)", left.reason, left.configuration.description]) }
    return table
  }

  /// What was done, or would be.
  package func lines(isDryRun: Bool) -> [String] {
    let folder = studies.new(definition.name).url.path
    let finished = fork.state.finishedCount
    let base = fork.carried.count - finished > 0 ? " and the base's measurement" : ""
    let left = max(0, budget - finished)
    var lines = [
      "\(isDryRun ? "would fork" : "forked") \(source.definition.name) as \(definition.name): \(folder)",
      "carried over \(finished) of \(source.trials.count { $0.isInSearch }) trials\(base); "
        + "budget \(budget): \(left) to go",
    ]
    if left == 0 { lines.append("the budget is spent by them: raise study.budget in \(file) to search on") }
    if !fork.leftOut.isEmpty { lines += ["\nnot carried over", leftOut.text] }
    if !isDryRun { lines.append("\ngo on with: engram search \(file)") }
    return lines
  }
}
