import Experiment
import Foundation
import Foundations
import Report
import Synchronization

/// Progress of a long step: a bar that is redrawn on a terminal, plain lines elsewhere.
///
/// Log lines are printed above the bar.
package final class ProgressLine: ProgressDisplay {
  private struct State {
    var drawn = false
    var lastDraw = Date.distantPast
    var lastLine = Date.distantPast
  }
  private let state = Mutex(State())
  private let interval: TimeInterval

  /// Without a terminal, a line of progress is printed at most every `plainInterval` seconds.
  package init(plainInterval: TimeInterval = 10) { interval = plainInterval }

  /// Shows the state: `done` of `total` and a text behind the bar.
  package func update(done: Double, total: Double, text: String, isFinal: Bool) {
    let now = Date()
    state.withLock { state in
      if Terminal.isInteractive {
        guard isFinal || now.timeIntervalSince(state.lastDraw) > 0.1 else { return }
        state.lastDraw = now
        let width = 24
        let filled = total > 0 ? Int((min(max(done / total, 0), 1) * Double(width)).rounded()) : 0
        let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
        let line = "\(bar) \(PrintableText.line(text))".prefix(max(20, Terminal.columns - 1))
        Terminal.writeError("\r\u{1B}[2K\(line)")
        state.drawn = !isFinal
        if isFinal { Terminal.writeError("\n") }
      } else if isFinal || now.timeIntervalSince(state.lastLine) >= interval {
        state.lastLine = now
        Terminal.printError(PrintableText.line(text))
      }
    }
  }

  /// Prints a line that stays.
  package func log(_ text: String) {
    state.withLock { state in
      if state.drawn { Terminal.writeError("\r\u{1B}[2K") }
      Terminal.printError(text)
      state.drawn = false
      state.lastDraw = .distantPast
      state.lastLine = Date()
    }
  }

  /// Leaves the bar as it is and goes to the next line.
  package func finish() {
    state.withLock { state in
      if state.drawn { Terminal.writeError("\n") }
      state.drawn = false
    }
  }
}
