import Foundation
import Foundations
import LanguageModel
import Personalization
import Study

/// A talk with a user's memory: who with, and what was said.
package struct Conversation {
  /// What a line that begins with a slash does.
  package enum CommandResult: Equatable, Sendable {
    case end
    case say(String)
  }

  private let experiment: MemoryExperiment
  private let adapters: [Adapter]
  package private(set) var user: String
  private let turns: Int
  private var said: [String] = []

  /// - Parameter turns: exchanges that a question is asked with.
  package init(experiment: MemoryExperiment, adapters: [Adapter], user: String, turns: Int) {
    self.experiment = experiment
    self.adapters = adapters
    self.user = user
    self.turns = turns
  }

  /// Asks, and hands on the reply as it comes.
  ///
  /// - Parameter keepsLines: whether line breaks stay; else they are spaces.
  package mutating func ask(_ query: String, keepsLines: Bool, piece: (String) -> Void) throws {
    let context = said.suffix(turns).joined(separator: "\n")
    var reply = ""
    // A question whose reply failed was asked all the same.
    defer { said.append("\(query)\n\(reply)") }
    reply = try experiment.reply(
      user: user, query: query, context: context.isEmpty ? nil : context, adapters: adapters
    ) { text in
      piece(keepsLines ? text : String(text.map { $0.isNewline ? " " : $0 }))
    }
  }

  /// Carries out a line that begins with a slash.
  package mutating func command(_ line: String) throws -> CommandResult {
    let parts = line.split(separator: " ", maxSplits: 1).map(String.init)
    switch (parts[0], parts.count) {
    case ("/quit", 1), ("/exit", 1): return .end
    case ("/users", 1):
      let all = experiment.dataset.users.map(\.id)
      let rest = all.count > 20 ? ", … (\(all.count) in all)" : ""
      return .say(all.prefix(20).joined(separator: ", ") + rest)
    case ("/user", 2):
      do {
        try experiment.dataset.require(user: parts[1])
      } catch let error as CommandError {
        return .say(error.message)
      }
      user = parts[1]
      said = []
      return .say("now the memory of \(user)")
    default: return .say("\(parts[0]) is not known here: /user NAME, /users, /quit")
    }
  }
}

extension Dataset {
  /// Refuses a user who is not among these.
  package func require(user: String) throws {
    let known = users.map(\.id)
    guard !known.contains(user) else { return }
    let hint = NearestName.of(user, among: known.sorted()).map { ". Did you mean '\($0)'?" } ?? ""
    throw CommandError(.notFound, "no user '\(user)' among the study's \(known.count) users\(hint)")
  }
}
