import BayesianOptimization
import Foundation
import Study

extension StudySummary {
  /// Trials for programs: one column per factor, objective, standard error, metric and time; plain numbers, scores as
  /// fractions.
  ///
  /// Layers are separated by spaces. Times are ISO 8601 in UTC: when the first attempt began and the last one ended. A factor
  /// or metric whose name is taken by another column is called `factor.NAME` or `metric.NAME`, and a
  /// property of trials whose name an objective has `trial.NAME`.
  package func records(_ trials: [Trial]) -> TextTable {
    let factors = factorNames(trials)
    let own = objectives.flatMap { [$0.name, "\($0.name)StandardError"] }
    let fixed = [
      "trial", "state", "trainableParameters", "seconds", "kind", "source", "seed", "hypervolume", "started", "ended",
      "attempts", "failure",
    ]
    var taken = Set(fixed + own)
    func title(_ name: String, _ prefix: String) -> String {
      let title = taken.contains(name) ? "\(prefix).\(name)" : name
      taken.insert(title)
      return title
    }
    // Objectives keep their names before all others.
    let plain = fixed.map { own.contains($0) ? "trial.\($0)" : $0 }
    let places =
      factors.map { $0.map { title($0, "factor") } } ?? ["layers", "count", "rank"].map { title($0, "memory") }
    let metrics = metricNames(trials)
    let titles = plain[..<2] + places + own + plain[2..<4] + metrics.map { title($0, "metric") } + plain[4...]
    var table = TextTable(titles.map { ($0, .left) })
    for trial in trials {
      var cells = ["\(trial.number)", trial.state.rawValue] + Self.exactCells(trial.configuration, factors: factors)
      for objective in objectives {
        cells.append(trial.result?.objectives[objective.name].map(PlotNumber.exact) ?? "")
        cells.append(trial.result?.standardErrors?[objective.name].map(PlotNumber.exact) ?? "")
      }
      cells += (["trainableParameters", "seconds"] + metrics).map {
        trial.result?.metrics?[$0].map(PlotNumber.exact) ?? ""
      }
      let times = TrialTimes(trial)
      cells += [trial.kind.rawValue, trial.provenance.source, "\(trial.seed)"]
      cells += [trial.hypervolume.map(PlotNumber.exact) ?? "", times.started ?? "", times.ended ?? ""]
      cells += ["\(trial.attempts.count)", trial.failure.map { "\($0.failureClass): \($0.message)" } ?? ""]
      table.add(cells)
    }
    return table
  }

  /// Names of all metrics but those with a column of their own, sorted.
  private func metricNames(_ trials: [Trial]) -> [String] {
    let names = Set(trials.flatMap { $0.result?.metrics.map { Array($0.keys) } ?? [] })
    return names.subtracting(objectives.map(\.name)).subtracting(["trainableParameters", "seconds"]).sorted()
  }

  private static func exactCells(_ configuration: Configuration, factors: [String]?) -> [String] {
    switch configuration.content {
    case .memory(let layers, let count, let rank):
      [layers.map(String.init).joined(separator: " "), "\(count)", "\(rank)"]
    case .factors(let values): (factors ?? []).map { values[$0]?.description ?? "" }
    }
  }
}

/// When a trial was worked on, as ISO 8601 text in UTC with milliseconds.
package struct TrialTimes: Sendable, Hashable {
  /// When its first attempt began; nil before.
  package let started: String?
  /// When its last attempt ended; nil while one is under way.
  package let ended: String?

  package init(_ trial: Trial) {
    started = trial.attempts.first.map { Self.text($0.startedTime ?? $0.leasedTime) }
    ended = trial.liveAttempt == nil ? trial.attempts.last?.endedTime.map(Self.text) : nil
  }

  /// Seconds since 1970 as text; years beyond 9999 are no time that a study can have.
  static func text(_ seconds: Double) -> String {
    guard seconds.isFinite, abs(seconds) < 253_402_300_800 else { return "" }
    return Date(timeIntervalSince1970: seconds).formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
  }
}
