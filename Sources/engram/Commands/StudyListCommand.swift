import ArgumentParser
import Console
import Experiment
import Foundation
import Report
import Study
import StudyDatabase

extension StudyCommand {
  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "All studies of a folder.",
      discussion: """
        A study that cannot be read stands in the list with the reason (state: damaged, newer or unreadable), and the \
        exit status is 5 then.
        """)
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    struct Row: CompleteRow {
      var name: String
      var finished: Int?
      var budget: Int?
      var running: Int?
      var failed: Int?
      var front: Int?
      var hypervolume: Double?
      var state: String
      /// Why the study cannot be read; nil where it can.
      var problem: String?
    }

    func run() throws {
      let rows = runs.names().map(row)
      if options.format == .json {
        Terminal.print(try JSON.pretty(rows))
      } else {
        var table = TextTable([
          ("study", .left), ("finished", .right), ("budget", .right), ("running", .right), ("failed", .right),
          ("front", .right), ("hypervolume", .right), ("state", .left),
        ])
        for row in rows {
          let counts = [row.finished, row.budget, row.running, row.failed, row.front].map { $0.map { "\($0)" } ?? "" }
          table.add([row.name] + counts + [row.hypervolume.map { PlotNumber.short($0) } ?? "", row.state])
        }
        table.print(as: options.format)
      }
      let unreadable = rows.filter { $0.problem != nil }
      guard !unreadable.isEmpty else { return }
      for row in unreadable { Terminal.printError("\(row.name): \(row.problem ?? "")") }
      throw ExitCode(ExitStatus.storage.rawValue)
    }

    /// The study's line, also where it cannot be read: one broken study hides no other.
    private func row(_ name: String) -> Row {
      do {
        let summary = StudySummary(try runs.observer(name).load())
        let header = summary.record.header
        return Row(
          name: name, finished: summary.finished, budget: header.budget, running: summary.count(.running),
          failed: summary.count(.failed, .diverged, .infeasible), front: summary.front.count,
          hypervolume: summary.hypervolumes.last,
          state: header.stopReason?.rawValue ?? (header.isPaused ? "paused" : "open"))
      } catch {
        let state =
          switch (error as? StudyError)?.code {
          case .newerSchema?: "newer"
          case .permission?: "unreadable"
          case .notFound?: "empty"
          default: "damaged"
          }
        return Row(name: name, state: state, problem: ExitStatus.describe(error).1)
      }
    }
  }
}
