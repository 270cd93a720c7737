import Processes
import Report
import Study
import StudyDatabase

/// A study in the list of all.
package struct StudyRow: CompleteRow {
  package var name: String
  package var finished: Int?
  package var budget: Int?
  package var running: Int?
  package var failed: Int?
  package var front: Int?
  package var hypervolume: Double?
  package var state: String
  /// Why the study cannot be read; nil where it can.
  package var problem: String?

  /// The study's line, also where it cannot be read: one broken study hides no other.
  package init(_ name: String, in studies: StudiesFolder) {
    self.name = name
    do {
      let summary = StudySummary(try studies.observer(name).load())
      let header = summary.record.header
      finished = summary.finished
      budget = header.budget
      running = summary.count(.running)
      failed = summary.count(.failed, .diverged, .infeasible)
      front = summary.front.count
      hypervolume = summary.hypervolumes.last
      state = header.stopReason?.rawValue ?? (header.isPaused ? "paused" : "open")
    } catch {
      state =
        switch (error as? StudyError)?.code {
        case .newerSchema?: "newer"
        case .permission?: "unreadable"
        case .notFound?: "empty"
        default: "damaged"
        }
      problem = ExitStatus.describe(error).1
    }
  }

  package static func table(_ rows: [StudyRow]) -> TextTable {
    var table = TextTable([
      ("study", .left), ("finished", .right), ("budget", .right), ("running", .right), ("failed", .right),
      ("front", .right), ("hypervolume", .right), ("state", .left),
    ])
    for row in rows {
      let counts = [row.finished, row.budget, row.running, row.failed, row.front].map { $0.map { "\($0)" } ?? "" }
      table.add([row.name] + counts + [row.hypervolume.map { PlotNumber.short($0) } ?? "", row.state])
    }
    return table
  }
}
