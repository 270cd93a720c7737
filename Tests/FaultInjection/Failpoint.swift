import Foundation
import Glibc
import Synchronization

/// Named places at which a coordinator dies, as if it had been killed.
///
/// `ENGRAM_FAILPOINT=name` dies at the first pass, `ENGRAM_FAILPOINT=name:k` at the k-th. Nothing is flushed or closed.
package enum Failpoint {
  /// All names, in the order of a trial's life.
  package static let names = [
    "proposal.before", "proposal.after", "lease.before", "lease.after", "assign.before", "assign.after",
    "outcome.before", "outcome.after", "ack.before", "ack.after", "commit.before", "commit.after",
  ]

  private static let plan: (name: String, pass: Int)? = {
    guard let text = ProcessInfo.processInfo.environment[FaultVariable.failpoint.rawValue], !text.isEmpty else {
      return nil
    }
    let parts = text.split(separator: ":")
    return (String(parts[0]), parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
  }()

  private static let passes = Atomic<Int>(0)

  /// Dies here if the plan says so.
  package static func pass(_ name: @autoclosure () -> String) {
    guard let plan, plan.name == name() else { return }
    if passes.add(1, ordering: .relaxed).newValue == plan.pass { _exit(137) }
  }
}
