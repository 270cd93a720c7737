import ArgumentParser
import Console
import Experiment
import Report

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

    func run() throws {
      let progress = ProgressLine()
      let fork = try Fork(of: study, file: file, in: runs.folder) { progress.show($0) }
      if !dryRun { for problem in try fork.install() { Terminal.printError("left out: \(problem)") } }
      switch options.format {
      case .json: Terminal.print(try JSON.pretty(fork.output))
      case .csv: Terminal.print(fork.leftOut.csv)
      case .table: for line in fork.lines(isDryRun: dryRun) { Terminal.print(line) }
      }
    }
  }
}
