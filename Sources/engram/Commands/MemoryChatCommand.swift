import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Personalization
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
      let signals = Signals { if isTalking.load(ordering: .relaxed) { Self.interrupt() } }
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
        try source.check(user: user, in: dataset)
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
          if try !conversation.command(text, source) { return }
          continue
        }
        if isPerson { Terminal.writeError("\(conversation.user)> ") }
        try conversation.ask(text, keepsLines: isPerson)
      }
      if isPerson { Terminal.printError("") }
    }
  }

  /// One talk: who with, and what was said.
  struct Conversation {
    let experiment: MemoryExperiment
    let adapters: [Adapter]
    private(set) var user: String
    let turns: Int
    private var said: [String] = []

    init(experiment: MemoryExperiment, adapters: [Adapter], user: String, turns: Int) {
      self.experiment = experiment
      self.adapters = adapters
      self.user = user
      self.turns = turns
    }

    /// Asks and prints the reply as it comes; its line breaks only where a person reads it.
    mutating func ask(_ query: String, keepsLines: Bool) throws {
      let context = said.suffix(turns).joined(separator: "\n")
      var reply = ""
      do {
        reply = try experiment.reply(
          user: user, query: query, context: context.isEmpty ? nil : context, adapters: adapters
        ) { piece in
          let shown = keepsLines ? piece : String(piece.map { $0.isNewline ? " " : $0 })
          Terminal.write(Array(shown.utf8))
        }
      } catch let error as GenerationError {
        Terminal.printError("\(error.message)")
      }
      Terminal.print("")
      said.append("\(query)\n\(reply)")
    }

    /// Carries out a line that begins with a slash; false ends the talk.
    mutating func command(_ line: String, _ source: MemorySource) throws -> Bool {
      let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
      switch (parts[0], parts.count) {
      case ("/quit", 1), ("/exit", 1): return false
      case ("/users", 1):
        let all = experiment.dataset.users.map(\.id)
        let rest = all.count > 20 ? ", … (\(all.count) in all)" : ""
        Terminal.printError(all.prefix(20).joined(separator: ", ") + rest)
      case ("/user", 2):
        do {
          try source.check(user: parts[1], in: experiment.dataset)
          user = parts[1]
          said = []
          Terminal.printError("now the memory of \(user)")
        } catch let error as CommandError {
          Terminal.printError(error.message)
        }
      default: Terminal.printError("\(parts[0]) is not known here: /user NAME, /users, /quit")
      }
      return true
    }
  }
}
