import Foundations
import Study

extension StudySummary {
  /// How a study ended, in a line.
  package func ending(_ reason: StopReason?) -> String {
    let name = record.definition.name
    let why =
      switch reason ?? record.header.stopReason {
      case .budget: "the budget is spent"
      case .time: "the time limit is reached"
      case .spaceExhausted: "every configuration of the space is known"
      case .converged: "the hypervolume has stopped growing"
      case .failing: "too many trials failed in a row"
      case nil: "stopped"
      }
    let hypervolume = hypervolumes.last.map { ", hypervolume \(PlotNumber.short($0))" } ?? ""
    let failed = count(.failed, .diverged, .infeasible)
    let lost = failed > 0 ? ", \(failed) of them without a result" : ""
    return "\(name): \(finished) trials finished\(lost) (\(why))\(hypervolume)"
  }

  /// What to say of a study that ended because its trials failed one after the other.
  package var failing: String {
    let name = record.definition.name
    return "the study has ended because too many trials failed in a row" + lastFailure
      + ". A larger budget would not help. Find the cause (engram trial list \(name), engram worker list \(name)), then: "
      + "engram trial retry --failed --study \(name), and the same command again"
  }

  /// The newest failure of a study in words, after a semicolon.
  private var lastFailure: String {
    let failures = record.trials.flatMap(\.attempts).filter { $0.failure != nil }
    guard let last = failures.max(by: { ($0.endedTime ?? 0) < ($1.endedTime ?? 0) }), let failure = last.failure else {
      return ""
    }
    let words = failure.logLines.suffix(2).joined(separator: " | ")
    // A program's and a worker's words: one line, so that they forge none.
    return PrintableText.line(
      "; the last failure (trial \(last.trial), worker \(last.worker.name)): \(failure.failureClass): "
        + failure.message + (words.isEmpty ? "" : " (\(words))"))
  }

  /// What to say of a search that has nothing to choose from.
  ///
  /// - Parameter logs: where the workers' logs are.
  package func noneCompleted(logs: String) -> String {
    "no trial was completed" + lastFailure
      + ". Find the cause (engram trial list \(record.definition.name), engram trial show N, \(logs)), then: "
      + "engram trial retry --failed --study \(record.definition.name), and the same command again"
  }
}
