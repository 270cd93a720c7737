import BayesianOptimization
import Foundation
import Report
import Study

/// One trial as people read it.
enum TrialText {
  static func describe(_ trial: Trial, reports: [IntermediateReport], objectives: [Objective]) -> String {
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
    return lines.map(PrintableText.line).joined(separator: "\n")
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
}
