import BayesianOptimization
import Foundation
import Foundations
import Study

extension StudySummary {
  /// The study as people read it: how far it is, what it was made from, what is odd, the front.
  ///
  /// - Parameter data: what is to be said of its records, a line each.
  package func text(data: [String] = []) -> String {
    let header = record.header
    let state = header.stopReason.map { "ended (\($0.rawValue))" } ?? (header.isPaused ? "paused" : "open")
    let failed = count(.failed, .diverged, .infeasible)
    let choice = Choice.standard(objectives)
    let chosen = chosen(choice).map { "\nchosen by \(choice.explanation(objectives)): trial \($0.number)" }
    return """
      study \(record.definition.name): \(state)
      \(finished) of \(header.budget) trials finished, \(count(.running)) running, \(count(.queued)) queued, \
      \(failed) failed
      seed \(record.definition.seed), hypervolume \
      \(hypervolumes.last.map { PlotNumber.short($0) } ?? "not known yet")\
      \(details.map { "\n\($0)" }.joined())\
      \((data + notes).map { "\n\(PrintableText.line($0))" }.joined())

      Pareto front
      \(frontTable().text)\(chosen ?? "")
      """
  }

  /// How large it is, in a few words.
  package var size: String { "\(record.trials.count) trials (\(finished) of \(record.header.budget) finished)" }

  /// Where it comes from, who works on what, who is out of service, what must be said about the result.
  private var notes: [String] {
    var notes: [String] = []
    if let origin = record.definition.forkedFrom {
      notes.append("forked from \(origin.name) (\(origin.identifier)) at its event \(origin.event)")
    }
    for trial in record.trials {
      guard let attempt = trial.liveAttempt else { continue }
      let begin = Date(timeIntervalSince1970: attempt.startedTime ?? attempt.leasedTime).formatted(.iso8601)
      notes.append("trial \(trial.number) is with \(attempt.worker.name) since \(begin)")
    }
    notes += record.trials.compactMap(\.memoryWait)
    if !record.header.quarantined.isEmpty {
      let names = record.header.quarantined.sorted().joined(separator: ", ")
      notes.append("out of service after failures: \(names) (engram worker reinstate NAME)")
    }
    return notes + warnings
  }

  /// The base, the reference point, how the hypervolume grew and what the study was made from.
  private var details: [String] {
    var lines: [String] = []
    if let base = base?.result {
      let values = objectives.compactMap { objective in
        base.objectives[objective.name].map { value in
          Self.text(value, error: base.standardErrors?[objective.name], name: objective.name)
        }
      }
      lines.append("base without memory: \(values.joined(separator: ", "))")
    }
    if let point = record.header.referencePoint {
      let values = objectives.map { "\($0.name) \(PlotNumber.short(point[$0.name] ?? .nan))" }
      lines.append("reference point: \(values.joined(separator: ", "))")
    }
    if let history = Self.history(hypervolumeTrials) { lines.append("hypervolume after trial \(history)") }
    let fingerprints = record.definition.fingerprints.sorted { $0.key < $1.key }
    if !fingerprints.isEmpty {
      lines.append("fingerprints: \(fingerprints.map { "\($0.key) \($0.value.prefix(12))" }.joined(separator: ", "))")
    }
    return lines.map { PrintableText.line($0) }
  }

  /// Most steps of the hypervolume's history in the table; all are in the JSON.
  private static let longestHistory = 8

  /// Where the hypervolume grew, as in "1: 0.20, 4: 0.31": of many steps the last ones; nil before the first.
  private static func history(_ values: [(number: Int, value: Double)]) -> String? {
    guard !values.isEmpty else { return nil }
    let steps = values.indices.filter { $0 == 0 || values[$0].value != values[$0 - 1].value }
    let shown = steps.suffix(longestHistory).map { "\(values[$0].number): \(PlotNumber.short(values[$0].value))" }
    return (steps.count > longestHistory ? "…, " : "") + shown.joined(separator: ", ")
  }
}
