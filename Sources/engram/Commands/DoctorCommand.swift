import ArgumentParser
import Console
import Experiment
import Report

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor", abstract: "What is installed, which SIMD path runs, is a database sound; and what to do.",
    discussion: """
      Everything a report of a problem needs: engram doctor STUDY --format json. Keys and data are not in it. Exit status \
      0 when nothing is wrong, 1 otherwise.
      """)
  @Argument(help: "A study to check too: integrity of its database and consistency of its history.") var study: String?
  @OptionGroup var runs: RunsOptions
  @OptionGroup var options: FormatOptions

  func run() throws {
    let diagnosis = Diagnosis(of: study, in: runs.folder)
    if options.format == .json {
      Terminal.print(try JSON.pretty(diagnosis.findings))
    } else {
      diagnosis.table.print(as: options.format)
    }
    if let status = diagnosis.status { throw ExitCode(status.rawValue) }
  }
}
