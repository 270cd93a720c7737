import Foundation

/// Progress of a long step: a bar that is redrawn on a terminal, plain lines elsewhere.
///
/// Log lines are printed above the bar. Used from one task at a time.
final class ProgressLine {
  private var drawn = false
  private var lastDraw = Date.distantPast
  private var lastLine = Date.distantPast
  private let interval: TimeInterval

  /// Without a terminal, a line of progress is printed at most every `plainInterval` seconds.
  init(plainInterval: TimeInterval = 10) { interval = plainInterval }

  /// Shows the state: `done` of `total` and a text behind the bar.
  func update(done: Double, total: Double, text: String, isFinal: Bool = false) {
    let now = Date()
    if Terminal.isInteractive {
      guard isFinal || now.timeIntervalSince(lastDraw) > 0.1 else { return }
      lastDraw = now
      let width = 24
      let filled = total > 0 ? Int((min(max(done / total, 0), 1) * Double(width)).rounded()) : 0
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
      let line = "\(bar) \(text)".prefix(max(20, Terminal.columns - 1))
      Terminal.writeError("\r\u{1B}[2K\(line)")
      drawn = true
      if isFinal { finish() }
    } else if isFinal || now.timeIntervalSince(lastLine) >= interval {
      lastLine = now
      Terminal.printError(text)
    }
  }

  /// Prints a line that stays.
  func log(_ text: String) {
    if drawn { Terminal.writeError("\r\u{1B}[2K") }
    Terminal.printError(text)
    drawn = false
    lastDraw = .distantPast
    lastLine = Date()
  }

  /// Leaves the bar as it is and goes to the next line.
  func finish() {
    if drawn { Terminal.writeError("\n") }
    drawn = false
  }
}
