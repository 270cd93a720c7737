import ArgumentParser
import Console
import Experiment
import Report
import Study

extension StudyCommand {
  struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "import", abstract: "Take in a study that engram study export has written.",
      discussion: """
        Everything comes as it was: identifier, seeds, trials, attempts, events, results with standard errors, \
        provenance. Refused, with nothing changed: a name or study that is here already (4), a format or schema of a \
        newer engram (6), a file that was damaged, cut or edited (5).
        """)
    @Argument(help: "The exported folder or file; - reads standard input.") var source: String
    @OptionGroup var runs: RunsOptions

    func run() throws {
      let record = try StudyImport(source, into: runs.folder).take()
      let name = record.definition.name
      let summary = StudySummary(record)
      Terminal.print("imported \(runs.folder.new(name).url.path): \(summary.size)")
      let running = summary.count(.running)
      if running > 0 { Terminal.print("\(running) trials ran when it was exported; they run again when it goes on") }
      Terminal.print("look at it with: engram study show \(name); go on with its own study file: engram search FILE")
    }
  }
}
