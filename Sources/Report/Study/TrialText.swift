import BayesianOptimization
import Foundation
import Foundations
import Study

/// One trial as people read it.
package enum TrialText {
  /// A line for a trial that has ended; its configuration is last, for it may be long.
  package static func line(_ trial: Trial, objectives: [Objective], front: [Int]) -> String {
    let name = trial.kind == .base ? "base     " : "trial " + String(format: "%-3d", trial.number)
    let what = trial.configuration.isNull ? "without memory" : trial.configuration.description
    guard let result = trial.result else {
      let why = trial.failure.map { "\($0.failureClass): \($0.message)" } ?? trial.state.rawValue
      return "\(name) \(trial.state.rawValue) (\(why))  \(what)"
    }
    let values = objectives.map { objective in
      StudySummary.text(result.objectives[objective.name] ?? .nan, name: objective.name)
    }
    let seconds = result.metrics?["seconds"].map(PlotNumber.seconds) ?? ""
    let mark = front.contains(trial.number) ? "front" : "     "
    let source = trial.provenance.source.padding(toLength: 8, withPad: " ", startingAt: 0)
    return "\(name) \(values.joined(separator: "  "))  \(seconds)  \(source) \(mark)  \(what)"
  }

  package static func describe(_ trial: Trial, reports: [IntermediateReport], objectives: [Objective]) -> String {
    let what = trial.configuration.isNull ? "the base without memory" : trial.configuration.description
    var lines = [
      "trial \(trial.number): \(trial.state.rawValue)", "configuration  \(what)", "seed           \(trial.seed)",
    ]
    for objective in objectives {
      guard let value = trial.result?.objectives[objective.name] else { continue }
      let error = trial.result?.standardErrors?[objective.name]
      let title = StudySummary.columnTitle(objective.name).padding(toLength: 14, withPad: " ", startingAt: 0)
      lines.append("\(title) \(StudySummary.value(value, error: error, name: objective.name))")
    }
    let named = Set(objectives.map(\.name))
    let metrics = (trial.result?.metrics ?? [:]).filter { !named.contains($0.key) }.sorted { $0.key < $1.key }
    if !metrics.isEmpty {
      let texts = metrics.map { "\($0.key) \(String(format: "%.6g", $0.value))" }
      lines.append("metrics        \(texts.joined(separator: ", "))")
    }
    lines.append("from           \(origin(trial.provenance))")
    for attempt in trial.attempts {
      let failure = attempt.failure.map { ", \($0.failureClass): \($0.message)" } ?? ""
      let title = "attempt \(attempt.token)".padding(toLength: 14, withPad: " ", startingAt: 0)
      lines.append("\(title) \(attempt.state.rawValue) on \(attempt.worker.name), \(times(attempt))\(failure)")
    }
    if let wait = trial.memoryWait { lines.append("waits          \(wait)") }
    if let failure = trial.failure {
      lines.append("failure        \(failure.failureClass): \(failure.message)")
      if let step = failure.nextStep { lines.append("what to do     \(step)") }
      lines += failure.logLines.map { "  | \($0)" }
    }
    if let last = reports.last {
      let values = last.values.sorted { $0.key < $1.key }.map { "\($0.key) \(String(format: "%.4g", $0.value))" }
      lines.append("reports        \(reports.count), the last at step \(last.step): \(values.joined(separator: ", "))")
      if reports.count > 1 { lines.append("               all of them: engram trial show \(trial.number) --reports") }
    }
    // A line each, whatever workers and programs wrote into it.
    return lines.map { PrintableText.line($0) }.joined(separator: "\n")
  }

  private static func times(_ attempt: Attempt) -> String {
    let begin = attempt.startedTime ?? attempt.leasedTime
    let text = Date(timeIntervalSince1970: begin).formatted(.iso8601)
    guard let end = attempt.endedTime else { return "since \(text)" }
    return "\(text), \(TimeText.of(max(0, end - begin)))"
  }

  private static func origin(_ provenance: Provenance) -> String {
    if let origin = provenance.origin {
      return "trial \(origin.trial) of study \(origin.study) (\(origin.source) there), carried over"
    }
    var parts = [provenance.source]
    if !provenance.fallbacks.isEmpty { parts.append("after \(provenance.fallbacks.joined(separator: ", "))") }
    if !provenance.pending.isEmpty {
      let noun = provenance.pending.count == 1 ? "trial" : "trials"
      parts.append("with \(noun) \(provenance.pending.map(String.init).joined(separator: ", ")) pending")
    }
    return parts.joined(separator: " ")
  }

  /// What the acceptance of a result alone does not say: that the trial has ended without one.
  package static func ending(_ trial: Trial?, objectives: [Objective]) -> String {
    guard let trial, trial.state == .diverged else { return "" }
    let values = trial.result?.objectives ?? trial.attempts.last?.result?.objectives ?? [:]
    let bad = objectives.compactMap { objective in
      values[objective.name].flatMap { $0.isFinite ? nil : "\(objective.name) is \(PlotNumber.short($0))" }
    }
    let why = bad.isEmpty ? trial.failure.map { ": \($0.message)" } ?? "" : ": \(bad.joined(separator: ", "))"
    return "; trial \(trial.number) has diverged\(why)"
  }

  /// The vector of every report: one column per name that occurs.
  ///
  /// - Parameter isExact: whether numbers are for programs.
  package static func table(_ reports: [IntermediateReport], isExact: Bool) -> TextTable {
    let names = Set(reports.flatMap(\.values.keys)).sorted()
    var table = TextTable([("attempt", .right), ("step", .right)] + names.map { ($0, .right) })
    for report in reports {
      let values = names.map { name in
        report.values[name].map { isExact ? PlotNumber.exact($0) : String(format: "%.5g", $0) } ?? ""
      }
      table.add(["\(report.token)", "\(report.step)"] + values)
    }
    return table
  }
}
