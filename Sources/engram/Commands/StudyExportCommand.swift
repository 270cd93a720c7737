import ArgumentParser
import Console
import Experiment

extension StudyCommand {
  struct ExportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "export", abstract: "Copy a study, also one that is running, to keep it or to move it.",
      discussion: """
        --output FOLDER makes a study's folder: database, kept adapters, comparison. --output FILE.jsonl makes one text \
        file (JSON Lines: definition, trials with their attempts, events, reports, warm starts, digest; no adapters); \
        - writes it to standard output. Both hold everything exactly and come back with engram study import:

          ssh HEAD engram study export quickstart --output - | engram study import -

        The folder holds texts of a person: comparison.json has a query, its answer and the models' replies \
        (--no-comparison leaves it out), and adapters are trained on people's histories. All files are for their owner \
        only. Of a damaged study the text form writes what can still be read, says what could not, and ends with 5.
        """)
    @Argument(help: "Name of the study, or its folder.") var study: String
    @Option(help: "A folder, FILE.jsonl, or - ; must not exist.") var output: String
    @Flag(name: .customLong("no-comparison"), help: "Leave comparison.json out of the folder: it quotes a person.")
    var leavesComparisonOut = false
    @OptionGroup var runs: RunsOptions

    private var isText: Bool { output == "-" || output.hasSuffix(".jsonl") }

    func run() throws {
      try StudyExport(of: study, in: runs.folder, to: output, withComparison: !leavesComparisonOut).write(
        to: { Terminal.write($0) }, say: { Terminal.print($0) }, warn: { Terminal.printError($0) })
    }
  }
}
