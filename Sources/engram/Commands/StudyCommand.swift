import ArgumentParser
import Console
import Experiment
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
      let summary = StudySummary(try runs.folder.observer(study).load())
      let data = DataReportFile.read(runs.folder.study(study ?? summary.record.definition.name))
      switch options.format {
      case .json: Terminal.print(try JSON.pretty(StudyDescription(summary, data: data)))
      case .csv: Terminal.print(summary.records(summary.front).csv)
      case .table: Terminal.print(summary.text(data: data?.lines ?? []))
      }
    }
  }

  struct DeleteCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "delete", abstract: "Move a study out of the way (nothing is erased: it goes to runs/.deleted).")
    @Argument(help: "Name of the study.") var study: String
    @Flag(help: "Do not ask.") var yes = false
    @OptionGroup var runs: RunsOptions

    func run() throws {
      let folder = runs.folder.study(study)
      guard folder.exists else { throw CommandError(.notFound, "no study '\(study)' in \(runs.folder.url.path)") }
      try runs.folder.moveAside(folder, isConfirmed: yes, why: "Delete the study '\(study)'?")
    }
  }
}

extension StudiesFolder {
  /// Asks unless `isConfirmed`, and moves a study to `runs/.deleted/`.
  func moveAside(_ folder: StudyFolder, isConfirmed: Bool, why: String) throws {
    if !isConfirmed {
      guard let answer = Terminal.confirm(why) else {
        throw CommandError(.refused, "\(why) There is no terminal to ask on: add --yes to confirm")
      }
      guard answer else { throw CommandError(.refused, "nothing was changed") }
    }
    let target = try moveAside(folder)
    Terminal.printError("moved \(folder.url.path) to \(target.path)")
  }
}
