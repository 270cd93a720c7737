import Foundation

/// Standard output and error, and what is known about them.
enum Terminal {
  /// Whether people look at standard error (a bar may be drawn there).
  static let isInteractive = isatty(STDERR_FILENO) == 1 && ProcessInfo.processInfo.environment["TERM"] != "dumb"

  /// Width of the terminal in columns.
  static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  static func print(_ text: String) { write(text + "\n", to: STDOUT_FILENO) }
  static func printError(_ text: String) { write(text + "\n", to: STDERR_FILENO) }
  static func write(_ bytes: [UInt8]) { write(bytes: bytes[...], to: STDOUT_FILENO) }
  static func write(_ data: Data) { write(bytes: Array(data)[...], to: STDOUT_FILENO) }
  static func writeError(_ text: String) { write(text, to: STDERR_FILENO) }

  private static func write(_ text: String, to descriptor: Int32) {
    write(bytes: Array(text.utf8)[...], to: descriptor)
  }

  private static func write(bytes: ArraySlice<UInt8>, to descriptor: Int32) {
    var bytes = bytes
    while !bytes.isEmpty {
      let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 {
        if errno == EINTR || errno == EAGAIN { continue }
        return
      }
      bytes = bytes.dropFirst(written)
    }
  }

  /// Asks a yes/no question; nil without a terminal on standard input.
  static func confirm(_ question: String) -> Bool? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return nil }
    writeError(question + " [y/N] ")
    let answer = readLine()?.lowercased().trimmingCharacters(in: .whitespaces) ?? ""
    return answer == "y" || answer == "yes"
  }
}

/// Durations as people read them.
enum TimeText {
  static func of(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0 else { return "?" }
    let total = Int(seconds.rounded())
    if total < 60 { return "\(total) s" }
    if total < 3600 { return "\(total / 60) min \(total % 60) s" }
    if total < 86_400 { return "\(total / 3600) h \(total % 3600 / 60) min" }
    return "\(total / 86_400) d \(total % 86_400 / 3600) h"
  }
}
