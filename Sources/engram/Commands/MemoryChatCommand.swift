import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Personalization
import Processes
import Synchronization

extension MemoryCommand {
  struct ChatCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "chat", abstract: "Talk to a user's memory.",
      discussion: """
        One question per line; the reply appears as it is written. /user NAME talks to somebody else, /users lists them, \
        /quit or Ctrl-D ends. Through a pipe: questions on standard input, one line of reply each on standard output, \
        everything else on standard error.
        """)
    @OptionGroup var setup: Setup
    @Option(help: "Whom to talk to.") var user: String?
    @Option(help: "Exchanges of this conversation that a question is asked with (needs templates with a context).")
    var turns = 0
    @Flag(help: "Without any memory: the base alone.") var base = false
    @OptionGroup var source: MemorySource

    func validate() throws {
      if turns < 0 { throw ValidationError("--turns must not be negative") }
      if base, source.adapter != nil { throw ValidationError("--base and --adapter exclude each other") }
    }

    func run() throws {
      let progress = ProgressLine()
      let isTalking = Atomic(false)
      // While a question is being typed nothing can be asked to stop; nothing is lost either.
      let signals = SignalWatch { _ in if isTalking.load(ordering: .relaxed) { Self.interrupt() } }
      let (experiment, prepared) = try setup.experiment(progress, signals)
      progress.finish()
      guard turns == 0 || experiment.recipe.templates.promptWithContext != nil else {
        throw CommandError(.usage, "--turns \(turns): this study's templates have no promptWithContext")
      }
      var conversation = Conversation(
        experiment: experiment,
        adapters: base ? [] : [try source.memory(experiment, study: prepared.configuration.name)],
        user: try chosenUser(experiment.dataset), turns: turns)
      isTalking.store(true, ordering: .relaxed)
      try talk(&conversation)
    }

    private static func interrupt() {
      Terminal.printError("")
      _exit(ExitStatus.interrupted.rawValue)
    }

    private func chosenUser(_ dataset: Dataset) throws -> String {
      if let user {
        try dataset.require(user: user)
        return user
      }
      if dataset.users.count == 1 { return dataset.users[0].id }
      let some = dataset.users.prefix(3).map(\.id).joined(separator: ", ")
      throw CommandError(.usage, "whom do you talk to? Give --user; there are \(dataset.users.count): \(some), …")
    }

    private func talk(_ conversation: inout Conversation) throws {
      let isPerson = isatty(STDIN_FILENO) == 1
      if isPerson {
        Terminal.printError(
          "You talk to the memory of \(conversation.user). /user NAME, /users, /quit; Ctrl-D ends.")
      }
      while true {
        if isPerson { Terminal.writeError("you> ") }
        guard let line = readLine(strippingNewline: true) else { break }
        let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
        if text.isEmpty { continue }
        if text.hasPrefix("/") {
          switch try conversation.command(text) {
          case .end: return
          case .say(let answer): Terminal.printError(answer)
          }
          continue
        }
        if isPerson { Terminal.writeError("\(conversation.user)> ") }
        do {
          try conversation.ask(text, keepsLines: isPerson) { Terminal.write(Array($0.utf8)) }
        } catch let error as GenerationError {
          Terminal.printError("\(error.message)")
        }
        Terminal.print("")
      }
      if isPerson { Terminal.printError("") }
    }
  }
}
