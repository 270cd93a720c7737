import ArgumentParser
import Console
import Experiment

extension StudyCommand {
  struct RelocateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "relocate", abstract: "Tell a study that its program has another name or place now.",
      discussion: """
        A study goes on by itself when its folder, its study file, its base and data, or the folder of its program were \
        moved. Only where evaluator.command names the program differently (another interpreter, other arguments) it wants \
        to be told: FILE is the study file as it is now. Nothing but evaluator.command may differ from what the study was \
        made with. It is up to you that the program measures the same.

          engram study relocate moved moved.yaml && engram search moved.yaml
        """)
    @Argument(help: "Name of the study, or its folder.") var study: String
    @Argument(help: "Its study file with the new command.") var file: String
    @OptionGroup var runs: RunsOptions

    func run() throws {
      for line in try StudyInstallation.relocate(study, in: runs.folder, to: file) { Terminal.print(line) }
    }
  }
}
