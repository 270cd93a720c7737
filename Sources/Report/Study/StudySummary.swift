import BayesianOptimization
import Study

/// What people want to know of a study: counts, front, hypervolume history and the chosen trial.
package struct StudySummary: Sendable {
  package let record: StudyRecord
  /// Completed trials of the search, in the order of their numbers; the base is not among them.
  let completed: [Trial]
  /// The members of the front (``StudyFront``), best first in the first objective.
  package let front: [Trial]
  /// Completed trials that carry a hypervolume, in the order in which they ended: number, and value after it.
  package let hypervolumeTrials: [(number: Int, value: Double)]
  /// Hypervolume after each completed trial that carries one, in the order in which they ended.
  package var hypervolumes: [Double] { hypervolumeTrials.map(\.value) }
  /// The un-injected base, when it was measured.
  package let base: Trial?

  package init(_ record: StudyRecord) {
    self.record = record
    let objectives = record.definition.objectives
    let completed = record.trials.filter { $0.state == .completed && $0.isInSearch }
    self.completed = completed
    let members = Set(StudyFront(completed, objectives: objectives).numbers)
    front = completed.filter { members.contains($0.number) }.sorted { left, right in
      guard let first = objectives.first else { return left.number < right.number }
      let (a, b) = (left.result?.objectives[first.name] ?? 0, right.result?.objectives[first.name] ?? 0)
      return a == b ? left.number < right.number : (a - b) * first.direction.sign > 0
    }
    let ended = completed.sorted { ($0.endedEvent ?? 0) < ($1.endedEvent ?? 0) }
    hypervolumeTrials = ended.compactMap { trial in trial.hypervolume.map { (trial.number, $0) } }
    base = record.trials.first { $0.kind == .base }
  }

  package var objectives: [Objective] { record.definition.objectives }

  /// Number of search and attached trials in one of the given states.
  package func count(_ states: TrialState...) -> Int {
    record.trials.count { $0.isInSearch && states.contains($0.state) }
  }

  /// Trials that use up the budget.
  package var finished: Int { record.trials.count { $0.isInSearch && $0.state.countsTowardsBudget } }
}

extension Trial {
  /// Trainable parameters as measured, 0 where unknown.
  var trainableParameters: Double { result?.metrics?["trainableParameters"] ?? 0 }

  /// Proposed by a model, not by the initial design or at random.
  package var isModelBased: Bool { ProposalSource(rawValue: provenance.source)?.isModel ?? false }
}

/// What a trial can come from, as its provenance names it.
package enum ProposalSource: String, Sendable, CaseIterable {
  case base = "anchor"
  case initial, sobol, random, attached, forked, nehvi, ei, nsga2

  /// Whether earlier results had a say in it.
  package var isModel: Bool {
    switch self {
    case .nehvi, .ei, .nsga2: true
    case .base, .initial, .sobol, .random, .attached, .forked: false
    }
  }
}
