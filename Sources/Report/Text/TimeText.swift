import Foundation

/// Durations as people read them.
package enum TimeText {
  package static func of(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0 else { return "?" }
    // Whoever counts in more years than that means something else.
    guard seconds < 1e13 else { return PlotNumber.short(seconds) + " s" }
    let total = Int(seconds.rounded())
    if total < 60 { return "\(total) s" }
    if total < 3600 { return "\(total / 60) min \(total % 60) s" }
    if total < 86_400 { return "\(total / 3600) h \(total % 3600 / 60) min" }
    return "\(total / 86_400) d \(total % 86_400 / 3600) h"
  }
}
