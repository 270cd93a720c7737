import ArgumentParser
import Experiment
import Foundation
import Processes

/// The start and the end of a program: its command is parsed and run, and what went wrong is said with its status.
package enum Program {
  package static func run(_ root: any AsyncParsableCommand.Type) async -> Never {
    // A reader that is gone is an error of the write, not the end of a cluster.
    BrokenPipes.ignore()
    // Results, adapters, logs and texts are about people: for their owner only, whatever the shell says.
    umask(0o077)
    do {
      if let message = UnknownCommand.message(Array(CommandLine.arguments.dropFirst()), of: root) {
        throw CommandError(.usage, message)
      }
      let command = try root.parseAsRoot()
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        var synchronous = command
        try synchronous.run()
      }
      Terminal.leave(with: .success)
    } catch {
      exit(root, after: error)
    }
  }

  /// Prints what the error means and leaves with its status; the parser's own usage errors leave with 2.
  private static func exit(_ root: any ParsableCommand.Type, after error: any Error) -> Never {
    let code = root.exitCode(for: error)
    let isParserError = !(error is CommandError) && code.rawValue != ExitCode.failure.rawValue
    if isParserError || error is ExitCode {
      let text = root.fullMessage(for: error)
      if !text.isEmpty { code.isSuccess ? Terminal.print(text) : Terminal.printError(text) }
      Terminal.leave(with: code == .validationFailure ? ExitStatus.usage.rawValue : code.rawValue)
    }
    let (status, text) = ExitStatus.describe(error)
    Terminal.printError("engram: \(text)")
    Terminal.leave(with: status)
  }
}
