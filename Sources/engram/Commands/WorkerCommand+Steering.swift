import ArgumentParser
import Console
import Coordinator
import Experiment
import Foundation
import Report
import Study
import StudyDatabase
import WireProtocol

extension WorkerCommand {
  struct ReinstateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "reinstate", abstract: "Let a worker take trials again that was taken out of service.",
      discussion: """
        A worker is taken out after several hardware failures in a row, or after more failures of any kind while others \
        succeed (study show and worker list name it, with its last words). Repair the \
        machine first; a worker that has left is started again by hand. Exit status 3: no such worker is out of service.
        """)
    @Argument(help: "The worker's name.") var worker: String
    @Option(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions

    func run() throws {
      Terminal.print(try StoredStudy(study, in: runs.folder).control.carryOut(.reinstate(worker: worker)).message)
    }
  }

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list",
      abstract: "The workers that are connected or have had trials: what became of them, who is out of service.")
    @Argument(help: "Name of the study, or its folder; may be left out when there is one.") var study: String?
    @OptionGroup var runs: RunsOptions
    @OptionGroup var options: FormatOptions

    func run() throws {
      let record = try runs.folder.observer(study).load()
      let mailbox = ControlMailbox(runs.folder.study(study ?? record.definition.name))
      let rows = WorkerRow.rows(record, mailbox.roster(now: Date().timeIntervalSince1970))
      if options.format == .json { return Terminal.print(try JSON.pretty(rows)) }
      WorkerRow.table(rows, cutsWords: options.format != .csv).print(as: options.format)
    }
  }
}
