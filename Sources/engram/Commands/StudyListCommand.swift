import ArgumentParser
import Console
import Experiment
import Processes
import Report

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

    func run() throws {
      let rows = runs.folder.names().map { StudyRow($0, in: runs.folder) }
      if options.format == .json {
        Terminal.print(try JSON.pretty(rows))
      } else {
        StudyRow.table(rows).print(as: options.format)
      }
      let unreadable = rows.filter { $0.problem != nil }
      guard !unreadable.isEmpty else { return }
      for row in unreadable { Terminal.printError("\(row.name): \(row.problem ?? "")") }
      throw ExitCode(ExitStatus.storage.rawValue)
    }
  }
}
