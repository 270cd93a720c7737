import ArgumentParser
import Console
import Experiment

/// The program, for the executables that are made of it: `engram`, and one for tests of faults.
package enum EngramProgram {
  package static func main() async { await Program.run(Engram.self) }
}

/// `engram`: searches, trains, measures and exports memory for language models.
struct Engram: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "engram",
    abstract:
      "Makes a language model personal: injects a person's history as LoRA memory and searches for the best one.",
    discussion: """
      The main job on one machine:   engram search configs/quickstart.yaml --workers 2
      The same across machines:      engram coordinator CONFIG --bind tcp://…   and   engram worker CONFIG --connect tcp://…

      Exit status: 0 ok, 1 unexpected, 2 usage, 3 not found, 4 conflict, 5 storage, 6 refused, 75 temporary, \
      130 interrupted.
      """,
    version: BuildInformation.version,
    groupedSubcommands: [
      CommandGroup(
        name: "Search:",
        subcommands: [
          SearchCommand.self, CoordinatorCommand.self, WorkerCommand.self, StudyCommand.self,
          TrialCommand.self,
        ]),
      CommandGroup(
        name: "Drive from outside:",
        subcommands: [AskCommand.self, TellCommand.self, SuggestCommand.self, ParetoCommand.self]),
      CommandGroup(
        name: "Models and data:",
        subcommands: [MemoryCommand.self, ModelCommand.self, DataCommand.self, MetricsCommand.self]),
      CommandGroup(
        name: "See and check:",
        subcommands: [PlotCommand.self, DoctorCommand.self, KeysCommand.self, BenchCommand.self]),
      CommandGroup(name: "Internal:", subcommands: [TrainerCommand.self]),
    ])
}
