import BayesianOptimization

/// The Pareto front of a study: the one place that says which trials are its members.
///
/// A member is a completed trial with a finite value of every objective that no other such trial dominates
/// (``Dominance``); trials with equal values are members together. The un-injected base is a reference: it is measured
/// once, and is never a member, nor does it add to the hypervolume. Versions of schema 1 counted it in. Their events stay
/// as they are and ``HistoryChecker`` accepts them; nothing else reads a stored front, every front is computed here.
package struct StudyFront: Hashable, Sendable {
  private let objectives: [Objective]
  /// Numbers of the members, ascending.
  package private(set) var numbers: [Int] = []
  /// What the members measured, every entry to be maximised, in the order of `numbers`.
  private(set) var rows: [[Double]] = []

  /// The front of some trials.
  package init(_ trials: some Sequence<Trial> = EmptyCollection(), objectives: [Objective]) {
    self.objectives = objectives
    for trial in trials { add(trial) }
  }

  /// Takes in a trial; nothing changes where it cannot be a member, or where one dominates it.
  mutating func add(_ trial: Trial) {
    guard trial.isInSearch, trial.state == .completed, let row = trial.result?.maximized(objectives) else { return }
    for (number, other) in zip(numbers, rows) where number != trial.number && Dominance.dominates(other, row) { return }
    let kept = numbers.indices.filter { numbers[$0] != trial.number && !Dominance.dominates(row, rows[$0]) }
    let place = kept.partitioningIndex { numbers[$0] > trial.number }
    var (members, values) = (kept.map { numbers[$0] }, kept.map { rows[$0] })
    members.insert(trial.number, at: place)
    values.insert(row, at: place)
    (numbers, rows) = (members, values)
  }

  /// Whether one of `trials` dominates what `base` measured; nil where there is nothing to compare.
  package static func isDominated(_ base: Trial, by trials: some Sequence<Trial>, objectives: [Objective]) -> Bool? {
    guard base.state == .completed, let row = base.result?.maximized(objectives) else { return nil }
    let front = StudyFront(trials, objectives: objectives)
    return front.rows.isEmpty ? nil : front.rows.contains { Dominance.dominates($0, row) }
  }
}

extension TrialResult {
  /// The objective vector, every entry to be maximised; nil where a value is missing or not finite.
  func maximized(_ objectives: [Objective]) -> [Double]? {
    let row = objectives.compactMap { objective in self.objectives[objective.name].map { $0 * objective.direction.sign }
    }
    return row.count == objectives.count && row.allSatisfy(\.isFinite) ? row : nil
  }
}
