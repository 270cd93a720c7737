import Foundations
import ArgumentParser
import Study

/// A word in the place of a command that is none, with the one that was probably meant.
package enum UnknownCommand {
  /// What to say; nil where every word in the place of a command is one.
  package static func message(_ arguments: [String], of root: any ParsableCommand.Type) -> String? {
    var command: any ParsableCommand.Type = root
    var path = [name(root)]
    for word in arguments {
      let below = command.configuration.subcommands
      // Options, and the words of commands that have nothing below them, are the parser's.
      guard !below.isEmpty, command.configuration.defaultSubcommand == nil, !word.hasPrefix("-"), word != "help" else {
        return nil
      }
      guard let next = below.first(where: { name($0) == word || $0.configuration.aliases.contains(word) }) else {
        let names = below.filter { $0.configuration.shouldDisplay }.map { name($0) }
        let hint = NearestName.of(word, among: names).map { "Did you mean '\($0)'?" }
        return "there is no command '\(word)' in '\(path.joined(separator: " "))'. "
          + (hint ?? "There are: \(names.joined(separator: ", "))")
      }
      command = next
      path.append(word)
    }
    return nil
  }

  private static func name(_ command: any ParsableCommand.Type) -> String {
    command.configuration.commandName ?? "\(command)".lowercased()
  }
}
