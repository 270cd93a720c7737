import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report
import Study
import StudyDatabase

struct TrialCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "trial", abstract: "The trials of a study.",
    subcommands: [
      ListCommand.self, ShowCommand.self, BestCommand.self, RetryCommand.self, AbandonCommand.self,
      AttachCommand.self, ReplayCommand.self,
    ])

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "All trials: state, configuration, objectives, attempts.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @Option(help: "Only trials in this state.") var state: String?
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    func run() throws {
      let summary = StudySummary(try runs.folder.observer(study).load())
      var trials = summary.record.trials
      if let state {
        guard let wanted = TrialState(rawValue: state) else {
          let names = TrialState.allCases.map(\.rawValue).joined(separator: ", ")
          throw CommandError(.usage, "--state \(state): choose one of \(names)")
        }
        trials = trials.filter { $0.state == wanted }
      }
      if options.format == .json { return Terminal.print(try JSON.pretty(trials.map(TrialRow.init))) }
      if options.format == .csv { return Terminal.print(summary.records(trials).csv) }
      Terminal.print(summary.trialTable(trials).text)
    }
  }

  struct ShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "show", abstract: "One trial with its provenance, attempts and reports.")
    @Argument(help: "Number of the trial.") var number: Int
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @Flag(help: "Compute its proposal again and compare (as trial replay does; exit status 1 when it differs).")
    var replay = false
    @Flag(help: "Only its intermediate reports: one line per report, one column per value.") var reports = false
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    func validate() throws {
      if replay, reports || options.format != .table {
        throw ValidationError("--replay prints a sentence: leave out --reports and --format")
      }
    }

    struct Output: CompleteRow {
      var trial: TrialRow
      var provenance: Provenance
      var failure: FailureRecord?
      var reports: [IntermediateReport]
    }

    func run() throws {
      let observer = try runs.folder.observer(study)
      let summary = StudySummary(try observer.load())
      guard let trial = summary.record.trials.first(where: { $0.number == number }) else {
        throw CommandError(
          .notFound, "no trial \(number) in \(summary.record.definition.name); it has \(summary.record.trials.count)")
      }
      if replay { return Terminal.print(try StoredStudy(study, in: runs.folder).replay(number)) }
      if reports { return try show(observer.reports(trial: number)) }
      let output = Output(
        trial: TrialRow(trial), provenance: trial.provenance, failure: trial.failure,
        reports: try observer.reports(trial: number))
      switch options.format {
      case .table: Terminal.print(TrialText.describe(trial, reports: output.reports, objectives: summary.objectives))
      case .json: Terminal.print(try JSON.pretty(output))
      case .csv: Terminal.print(summary.records([trial]).csv)
      }
    }

    private func show(_ reports: [IntermediateReport]) throws {
      if options.format == .json { return Terminal.print(try JSON.pretty(reports)) }
      if reports.isEmpty, options.format == .table { return Terminal.print("trial \(number) has sent no reports") }
      TrialText.table(reports, isExact: options.format == .csv).print(as: options.format)
    }
  }

  struct BestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "best", abstract: "The Pareto front, and which trial would be taken along.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @Option(
      help: """
        How the winner is chosen: quality (the best ROUGE-L), loss, knee (no objective far from its best), or an objective's \
        name (default: quality where rougeL is an objective, the only objective, else knee).
        """)
    var by: String?
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    func run() throws {
      let summary = StudySummary(try runs.folder.observer(study).load())
      let choice = by.map { StudySummary.Choice($0) } ?? .standard(summary.objectives)
      if let problem = choice.problem(summary.objectives) {
        throw CommandError(.usage, "--by \(choice.name): \(problem)")
      }
      guard let chosen = summary.chosen(choice) else {
        throw CommandError(.notFound, "\(summary.record.definition.name) has no completed trial yet")
      }
      if options.format == .json { return Terminal.print(try JSON.pretty(summary.front.map(TrialRow.init))) }
      if options.format == .csv { return Terminal.print(summary.records(summary.front).csv) }
      Terminal.print(summary.frontTable().text)
      Terminal.print("\nchosen by \(choice.explanation(summary.objectives)): trial \(chosen.number)")
      for warning in summary.warnings { Terminal.print(warning) }
    }
  }
}
