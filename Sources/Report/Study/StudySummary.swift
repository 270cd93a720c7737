import BayesianOptimization
import Study

/// What people want to know of a study: counts, front, hypervolume history and the chosen trial.
public struct StudySummary: Sendable {
  public let record: StudyRecord
  /// Completed trials that no other completed trial dominates, best first in the first objective; the anchor is not
  /// among them.
  public let front: [Trial]
  /// Hypervolume after each completed trial that carries one, in the order in which they ended.
  public let hypervolumes: [Double]
  /// The un-injected base, when it was measured.
  public let anchor: Trial?

  public init(_ record: StudyRecord) {
    self.record = record
    let objectives = record.definition.objectives
    let completed = record.trials.filter { $0.state == .completed && $0.kind != .anchor }
      .sorted { ($0.endedEvent ?? 0) < ($1.endedEvent ?? 0) }
    let rows = completed.map { trial in
      objectives.map { (trial.result?.objectives[$0.name] ?? .nan) * $0.direction.sign }
    }
    let usable = completed.indices.filter { index in rows[index].allSatisfy(\.isFinite) }
    let best = Dominance.front(usable.map { rows[$0] }).map { completed[usable[$0]] }
    front = best.sorted { left, right in
      guard let first = objectives.first else { return left.number < right.number }
      let (a, b) = (left.result?.objectives[first.name] ?? 0, right.result?.objectives[first.name] ?? 0)
      return a == b ? left.number < right.number : (a - b) * first.direction.sign > 0
    }
    hypervolumes = completed.compactMap(\.hypervolume)
    anchor = record.trials.first { $0.kind == .anchor }
  }

  public var objectives: [Objective] { record.definition.objectives }

  /// Number of search and attached trials in one of the given states.
  public func count(_ states: TrialState...) -> Int {
    record.trials.count { $0.kind != .anchor && states.contains($0.state) }
  }

  /// Trials that use up the budget.
  public var finished: Int { record.trials.count { $0.kind != .anchor && $0.state.countsTowardsBudget } }

  /// How a winner is chosen from the front.
  public enum Choice: String, Sendable, CaseIterable {
    /// The best ROUGE-L (or, without one, the best value of the last objective); ties go to the others in order.
    case quality
    /// The lowest loss (or the best value of the first objective).
    case loss
    /// The largest minimum of the objectives, each scaled to [0, 1] over the front.
    case knee
  }

  /// The trial to take along; nil while nothing is completed.
  public func chosen(_ choice: Choice = .quality) -> Trial? {
    guard !front.isEmpty else { return nil }
    let names = objectives.map(\.name)
    switch choice {
    case .quality: return best(by: names.firstIndex(of: "rougeL") ?? names.count - 1)
    case .loss: return best(by: names.firstIndex(of: "loss") ?? 0)
    case .knee:
      let rows = front.map(maximized)
      let low = objectives.indices.map { column in rows.map { $0[column] }.min() ?? 0 }
      let high = objectives.indices.map { column in rows.map { $0[column] }.max() ?? 1 }
      func score(_ row: [Double]) -> Double {
        row.indices.map { high[$0] > low[$0] ? (row[$0] - low[$0]) / (high[$0] - low[$0]) : 1 }.min() ?? 0
      }
      return zip(front, rows).max { score($0.1) < score($1.1) }?.0
    }
  }

  private func maximized(_ trial: Trial) -> [Double] {
    objectives.map { (trial.result?.objectives[$0.name] ?? -.infinity) * $0.direction.sign }
  }

  private func best(by index: Int) -> Trial? {
    let order = [index] + objectives.indices.filter { $0 != index }
    return front.min { left, right in
      let (a, b) = (maximized(left), maximized(right))
      for column in order where a[column] != b[column] { return a[column] > b[column] }
      let (small, large) = (left.trainableParameters, right.trainableParameters)
      return small == large ? left.key < right.key : small < large
    }
  }
}

extension Trial {
  /// Trainable parameters as measured, 0 where unknown.
  var trainableParameters: Double { result?.metrics?["trainableParameters"] ?? 0 }

  /// Proposed by a model, not by the initial design or at random.
  public var isModelBased: Bool { ["nehvi", "ei", "nsga2"].contains(provenance.source) }
}
