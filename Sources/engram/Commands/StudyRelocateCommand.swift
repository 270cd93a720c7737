import ArgumentParser
import Console
import Experiment
import Foundation
import Study
import StudyDatabase

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
      let folder = runs.study(study)
      var definition = try runs.observer(study).load().definition
      let given = try StudyConfiguration(contentsOf: URL(fileURLWithPath: file))
      var stored = try StudyConfiguration(canonicalText: definition.configurationText)
      guard let command = given.evaluator.command, let before = stored.evaluator.command else {
        throw CommandError(
          .usage, "\(study): only studies with evaluator.command have a program that can move. Nothing is to be done")
      }
      let others = try given.differences(from: stored).filter { !$0.key.hasPrefix("evaluator.command") }
      guard others.isEmpty else {
        throw CommandError(
          .conflict,
          "\(study) was made with other settings: \(others.map(\.description).joined(separator: "; ")). Relocating changes "
            + "evaluator.command only; engram study fork takes over what is still valid")
      }
      stored.evaluator.command = command
      definition.configurationText = try stored.canonicalText
      let store = try SQLiteStudyStore(folder)
      try store.redefine(definition)
      try store.close()
      Terminal.print("\(definition.name): was \(before.joined(separator: " ")), is \(command.joined(separator: " "))")
      Terminal.print("go on with: engram search \(file)")
    }
  }
}
