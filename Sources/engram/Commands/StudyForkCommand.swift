import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report
import Study
import StudyDatabase

extension StudyCommand {
  struct ForkCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "fork", abstract: "Begin a new study with the observations of another, in a changed space.",
      discussion: """
        NEW.yaml is a study file with a name of its own. Its space, objectives, sampler, seed and budget may differ from \
        the source's; whatever decides what a trial measures (base, data, training, evaluation, placement …) must not. \
        Every trial that is valid in the new space is carried over with result, standard errors, seed and where it came \
        from; the others are listed with the reason. Carried trials count towards the budget and take the first places of \
        the initial design. The source is only read, and may be running.

          engram study fork quickstart wide.yaml --dry-run
          engram study fork quickstart wide.yaml && engram search wide.yaml --workers 2
        """)
    @Argument(help: "The study to begin from: its name or folder.") var study: String
    @Argument(help: "The new study's file.") var file: String
    @Flag(help: "Say what would be carried over; make nothing.") var dryRun = false
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    struct Output: Encodable {
      var study: String
      var folder: String
      var from: StudyOrigin
      var budget: Int
      var carried: [StudyFork.Carried]
      var leftOut: [StudyFork.LeftOut]
    }

    func run() throws {
      let source = try runs.observer(study).load()
      let progress = ProgressLine()
      let prepared = try PreparedStudy.prepare(
        path: file, step: { SearchDisplay.show($0, on: progress) })
      try checkComparable(prepared, with: source)
      var definition = try prepared.definition
      definition.forkedFrom = StudyOrigin(
        name: source.definition.name, identifier: source.definition.identifier, event: source.header.lastEvent)
      guard definition.name != source.definition.name else {
        throw CommandError(
          .conflict, "\(file) has the source's name, '\(definition.name)'. Give it another study.name")
      }
      try StudyInstallation.checkFree(definition, in: runs)
      let fork = try plan(prepared, source, definition)
      guard fork.carried.contains(where: { fork.state.trials[$0.trial].kind != .anchor }) else {
        let why = fork.leftOut.first.map { "; the first: trial \($0.source), \($0.reason)" } ?? ""
        throw CommandError(
          .conflict,
          "no trial of \(study) can be carried over\(why). Begin the study empty: engram search \(file)")
      }
      let budget = prepared.configuration.budget
      if !dryRun {
        _ = try StudyInstallation.install(definition, in: runs) { folder in
          try StudyInstallation.write(definition, budget: budget, fork.transition, into: folder)
          let copied = try StudyInstallation.copyFiles(
            of: Array(fork.state.trials), from: runs.study(study), to: folder, .own)
          for problem in copied.leftOut { Terminal.printError("left out: \(problem)") }
        }
      }
      try report(fork, source, definition, budget: budget)
    }

    private func plan(
      _ prepared: PreparedStudy, _ source: StudyRecord, _ definition: StudyDefinition
    ) throws -> StudyFork {
      let space = prepared.space
      return try StudyFork(
        of: source, as: definition, budget: prepared.configuration.budget,
        initial: prepared.configuration.sampler.initial, policy: prepared.policy,
        anchor: prepared.anchor.map { ($0, space.identity(of: $0)) },
        key: { configuration in
          try space.validate(configuration)
          return try space.key(configuration)
        }, time: Date().timeIntervalSince1970)
    }

    /// Refuses a file under which the source's values would mean something else.
    private func checkComparable(_ prepared: PreparedStudy, with source: StudyRecord) throws {
      let remedy = "Its values say nothing about the new study: begin that one empty with engram search \(file)"
      let stored = try StoredStudy.configuration(source.definition)
      let differences = try prepared.configuration.differences(from: stored).filter { !Self.mayChange($0.key) }
      guard differences.isEmpty else {
        throw CommandError(
          .conflict,
          "\(study) was measured with other settings: \(differences.map(\.description).joined(separator: "; ")). "
            + (differences.allSatisfy { $0.key.hasPrefix("evaluator.command") }
              ? "If the program is the same under another name, first: engram study relocate \(study) FILE, with the "
                + "source's study file and the new command" : remedy))
      }
      for name in ["base", "data"] where prepared.fingerprints[name] != source.definition.fingerprints[name] {
        throw CommandError(.conflict, "\(study) was measured with another \(name) (by content). \(remedy)")
      }
    }

    /// Whether a key of the study file decides nothing about what a trial measures.
    static func mayChange(_ key: String) -> Bool {
      if key == "space.placement" { return false }
      let free = ["name", "seed", "evaluator.seconds"]
      return free.contains(key) || ["space.", "sampler.", "objectives"].contains { key.hasPrefix($0) }
    }

    private func report(
      _ fork: StudyFork, _ source: StudyRecord, _ definition: StudyDefinition, budget: Int
    ) throws {
      let folder = runs.folder.appendingPathComponent(definition.name, isDirectory: true).path
      if options.format == .json {
        guard let origin = definition.forkedFrom else { return }
        return Terminal.print(
          try JSON.pretty(
            Output(
              study: definition.name, folder: folder, from: origin, budget: budget, carried: fork.carried,
              leftOut: fork.leftOut)))
      }
      if options.format == .table {
        Terminal.print("\(dryRun ? "would fork" : "forked") \(source.definition.name) as \(definition.name): \(folder)")
        let finished = fork.state.finishedCount
        let anchor = fork.carried.count - finished > 0 ? " and the base's measurement" : ""
        let left = max(0, budget - finished)
        Terminal.print(
          "carried over \(finished) of \(source.trials.count { $0.kind != .anchor }) trials\(anchor); "
            + "budget \(budget): \(left) to go")
        if left == 0 { Terminal.print("the budget is spent by them: raise study.budget in \(file) to search on") }
        if !fork.leftOut.isEmpty { Terminal.print("\nnot carried over") }
      }
      if options.format == .csv || !fork.leftOut.isEmpty {
        var table = TextTable([("trial", .right), ("reason", .left), ("configuration", .left)])
        for left in fork.leftOut { table.add(["\(left.source)", left.reason, left.configuration.description]) }
        table.print(as: options.format)
      }
      if options.format == .table, !dryRun { Terminal.print("\ngo on with: engram search \(file)") }
    }
  }
}
