import ArgumentParser
import Foundation

/// `engram`: searches, trains, measures and exports memory for language models.
@main
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

  static func main() async {
    // A reader that is gone is an error of the write, not the end of a cluster.
    signal(SIGPIPE, SIG_IGN)
    // Results, adapters, logs and texts are about people: for their owner only, whatever the shell says.
    umask(0o077)
    do {
      if let message = UnknownCommand.message(Array(CommandLine.arguments.dropFirst()), of: Self.self) {
        throw CommandError(.usage, message)
      }
      let command = try parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        var synchronous = command
        try synchronous.run()
      }
      Terminal.leave(with: .success)
    } catch {
      exit(after: error)
    }
  }

  /// Prints what the error means and leaves with its status; the parser's own usage errors leave with 2.
  private static func exit(after error: any Error) -> Never {
    let code = exitCode(for: error)
    let isParserError = !(error is CommandError) && code.rawValue != ExitCode.failure.rawValue
    if isParserError || error is ExitCode {
      let text = fullMessage(for: error)
      if !text.isEmpty { code.isSuccess ? Terminal.print(text) : Terminal.printError(text) }
      Terminal.leave(with: code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue)
    }
    let (status, text) = ExitStatus.describe(error)
    Terminal.printError("engram: \(text)")
    Terminal.leave(with: status)
  }
}
