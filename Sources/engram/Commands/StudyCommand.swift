import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Foundations
import Personalization
import Report
import Study
import StudyDatabase

struct StudyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "study", abstract: "Look at studies and steer them.",
    subcommands: [
      ListCommand.self, ShowCommand.self, PauseCommand.self, ResumeCommand.self, ForkCommand.self,
      ExportCommand.self, ImportCommand.self, RelocateCommand.self, DeleteCommand.self,
    ])

  struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "Counts, budget, front, hypervolume history, seed and fingerprints.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    func run() throws {
      let summary = StudySummary(try runs.observer(study).load())
      let data = DataReportFile.read(runs.study(study ?? summary.record.definition.name))
      if options.format == .json {
        var description = StudyDescription(summary)
        description.data = data
        return Terminal.print(try JSON.pretty(description))
      }
      if options.format == .csv { return Terminal.print(summary.records(summary.front).csv) }
      let header = summary.record.header
      let state = header.stopReason.map { "ended (\($0.rawValue))" } ?? (header.isPaused ? "paused" : "open")
      let failed = summary.count(.failed, .diverged, .infeasible)
      var notes: [String] = []
      if let data { notes += ["data: \(data.summary)"] + data.warnings.map { "warning: \($0)" } }
      if let origin = summary.record.definition.forkedFrom {
        notes.append("forked from \(origin.name) (\(origin.identifier)) at its event \(origin.event)")
      }
      for trial in summary.record.trials {
        guard let attempt = trial.liveAttempt else { continue }
        let begin = Date(timeIntervalSince1970: attempt.startedTime ?? attempt.leasedTime).formatted(.iso8601)
        notes.append("trial \(trial.number) is with \(attempt.worker.name) since \(begin)")
      }
      notes += summary.record.trials.compactMap(\.memoryWait)
      if !header.quarantined.isEmpty {
        let names = header.quarantined.sorted().joined(separator: ", ")
        notes.append("out of service after failures: \(names) (engram worker reinstate NAME)")
      }
      notes += summary.warnings
      let choice = StudySummary.Choice.standard(summary.objectives)
      let chosen = summary.chosen(choice).map {
        "\nchosen by \(choice.explanation(summary.objectives)): trial \($0.number)"
      }
      Terminal.print(
        """
        study \(summary.record.definition.name): \(state)
        \(summary.finished) of \(header.budget) trials finished, \(summary.count(.running)) running, \
        \(summary.count(.queued)) queued, \(failed) failed
        seed \(summary.record.definition.seed), hypervolume \
        \(summary.hypervolumes.last.map { PlotNumber.short($0) } ?? "not known yet")\
        \(Self.details(summary).map { "\n\($0)" }.joined())\
        \(notes.map { "\n\(PrintableText.line($0))" }.joined())

        Pareto front
        \(summary.frontTable().text)\(chosen ?? "")
        """)
    }
  }

  struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete", abstract: "Move a study out of the way (nothing is erased: it goes to runs/.deleted).")
    @Argument(help: "Name of the study.") var study: String
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var runs: RunsOptions

    func run() throws {
      let folder = runs.study(study)
      guard folder.exists else { throw CommandError(.notFound, "no study '\(study)' in \(runs.folder.path)") }
      try StudyRemoval.moveAside(folder, runs: runs.folder, isConfirmed: yes, why: "Delete the study '\(study)'?")
    }
  }
}

/// Moves studies away instead of erasing them.
enum StudyRemoval {
  /// Asks unless `isConfirmed`, makes sure that nobody runs the study, and moves its folder to `runs/.deleted/`.
  static func moveAside(_ folder: StudyFolder, runs: URL, isConfirmed: Bool, why: String) throws {
    if !isConfirmed {
      guard let answer = Terminal.confirm(why) else {
        throw CommandError(.refused, "\(why) There is no terminal to ask on: add --yes to confirm")
      }
      guard answer else { throw CommandError(.refused, "nothing was changed") }
    }
    let stamp = Int(Date().timeIntervalSince1970)
    let target = runs.appendingPathComponent(".deleted/\(folder.url.lastPathComponent)-\(stamp)", isDirectory: true)
    // A study in use is refused here; a damaged one can be moved like any other.
    try SQLiteStudyStore.whileNobodyRuns(folder) {
      try PrivateFolder.make(target.deletingLastPathComponent())
      try FileManager.default.moveItem(at: folder.url, to: target)
    }
    Terminal.printError("moved \(folder.url.path) to \(target.path)")
  }
}

/// `study show --format json`.
struct StudyDescription: CompleteRow {
  struct Point: CompleteRow {
    var number: Int
    var configuration: Configuration
    var objectives: [String: Double]
    var standardErrors: [String: Double]?
  }
  var name: String
  var identifier: String
  var seed: UInt64
  var budget: Int
  var finished: Int
  var counts: [String: Int]
  var state: String
  var stopReason: String?
  var objectives: [Objective]
  var referencePoint: [String: Double]?
  var front: [Point]
  var chosen: Int?
  var chosenBy: String?
  var warnings: [String]
  var hypervolume: Double?
  var hypervolumeHistory: [Double]
  var anchor: [String: Double]?
  var fingerprints: [String: String]
  var events: Int
  var madeBy: String
  var forkedFrom: StudyOrigin?
  var quarantined: [String]
  /// What the records are; absent for other evaluators.
  var data: DataReport?

  init(_ summary: StudySummary) {
    let record = summary.record
    name = record.definition.name
    identifier = record.definition.identifier
    seed = record.definition.seed
    budget = record.header.budget
    finished = summary.finished
    counts = Dictionary(uniqueKeysWithValues: TrialState.allCases.map { ($0.rawValue, summary.count($0)) })
    state = record.header.stopReason != nil ? "ended" : record.header.isPaused ? "paused" : "open"
    stopReason = record.header.stopReason?.rawValue
    objectives = summary.objectives
    referencePoint = record.header.referencePoint
    front = summary.front.map {
      Point(
        number: $0.number, configuration: $0.configuration, objectives: $0.result?.objectives ?? [:],
        standardErrors: $0.result?.standardErrors)
    }
    let choice = StudySummary.Choice.standard(summary.objectives)
    chosen = summary.chosen(choice)?.number
    chosenBy = chosen == nil ? nil : choice.name
    warnings = summary.warnings
    hypervolume = summary.hypervolumes.last
    hypervolumeHistory = summary.hypervolumes
    anchor = summary.anchor?.result?.objectives
    fingerprints = record.definition.fingerprints
    events = record.header.lastEvent
    madeBy = record.definition.madeBy
    forkedFrom = record.definition.forkedFrom
    quarantined = record.header.quarantined.sorted()
  }
}
