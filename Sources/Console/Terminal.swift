import Experiment
import Foundation
import Foundations
import Processes
import Report
import Synchronization

/// Standard output and error, and what is known about them.
///
/// Text is made printable on its way out: what workers, programs and files wrote cannot steer a terminal
/// (`PrintableText`). A write error on standard output is an error of the command, a reader that is gone is not.
package enum Terminal {
  /// Whether people look at standard error (a bar may be drawn there).
  package static let isInteractive = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// Width of the terminal in columns.
  package static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  private static let output = OutputStream(STDOUT_FILENO)
  private static let errors = OutputStream(STDERR_FILENO)
  private static let queue = Mutex<OutputQueue?>(nil)

  package static func print(_ text: String) { write(Array((PrintableText.block(text) + "\n").utf8)) }
  package static func printError(_ text: String) { writeErrorBytes(PrintableText.block(text) + "\n") }
  package static func write(_ data: Data) { write(Array(data)) }

  /// Writes to standard output; on an error the process ends, or goes on to its end where it has more to do than print.
  package static func write(_ bytes: [UInt8]) {
    guard output.write(bytes[...]) != nil, queue.withLock({ $0 == nil }) else { return }
    leave(with: .success)
  }

  /// Writes a sequence of this program's own, cursor movements included, to standard error.
  package static func writeError(_ text: String) { writeErrorBytes(text) }

  private static func writeErrorBytes(_ text: String) {
    let bytes = Array(text.utf8)
    if let queue = queue.withLock({ $0 }) { return queue.add(bytes) }
    // Where standard error does not work, there is nobody to tell.
    _ = errors.write(bytes[...])
  }

  /// Takes standard error off the callers' hands: a terminal that is stopped or a collector that is stuck holds up nobody.
  ///
  /// For commands that other machines wait for. What is not taken is dropped and counted.
  package static func detachErrors() {
    queue.withLock { queue in
      if queue == nil { queue = OutputQueue { bytes in errors.write(bytes[...]) == nil } }
    }
  }

  /// Ends the process once standard error has had a moment to take what is left.
  ///
  /// A failure of standard output becomes the status where the command itself has none.
  package static func leave(with status: ExitStatus) -> Never { leave(with: status.rawValue) }

  package static func leave(with status: Int32) -> Never {
    var status = status
    if let failure = output.failure, failure != EPIPE, status == ExitStatus.success.rawValue {
      status = ExitStatus.storage.rawValue
      printError(
        "engram: standard output: \(String(cString: strerror(failure))); what it holds is cut. Make room and run the same "
          + "command again")
    }
    queue.withLock { $0 }?.flush(within: .seconds(2))
    Foundation.exit(status)
  }

  /// Asks a yes/no question; nil without a terminal on standard input.
  package static func confirm(_ question: String) -> Bool? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return nil }
    writeError(PrintableText.line(question) + " [y/N] ")
    let answer = readLine()?.lowercased().trimmingCharacters(in: .whitespaces) ?? ""
    return answer == "y" || answer == "yes"
  }
}

extension Terminal {
  /// Most notes of one command; every proposal of a long row may have one of its own.
  private static let mostNotes = 5

  /// Says on standard error what the numbers do not show by themselves.
  package static func printNotes(_ sentences: [String]) {
    var said: [String] = []
    for sentence in sentences where !said.contains(sentence) { said.append(sentence) }
    for sentence in said.prefix(mostNotes) { printError("engram: note: \(sentence)") }
    if said.count > mostNotes { printError("engram: and \(said.count - mostNotes) notes more, much like these") }
  }
}
