import BayesianOptimization

extension StudyState {
  /// The configurations that are queued, running or taken out by the user, by trial number: the sampler avoids them.
  package var pendingTrials: [Int] { (queued + running + abandoned).sorted() }

  /// A terminal trial as an observation.
  package static func observation(of trial: Trial) -> Observation {
    let outcome: Observation.Outcome =
      switch trial.state {
      case .completed: .completed
      case .infeasible: .outOfMemory
      default: .failed
      }
    return Observation(
      configuration: trial.configuration, objectives: trial.result?.objectives ?? [:],
      standardErrors: trial.result?.standardErrors, outcome: outcome)
  }

  /// Hypervolume of `front`, which may be newer than the state; nil without a reference point.
  func hypervolume(of front: StudyFront, reference: [String: Double]?) -> Double? {
    guard let reference else { return nil }
    var corner: [Double] = []
    for objective in definition.objectives {
      guard let value = reference[objective.name] else { return nil }
      corner.append(value * objective.direction.sign)
    }
    if front.numbers == self.front, let last = hypervolumes.last { return last }
    let volume = policy.hypervolume(front.rows, corner)
    // Objectives of older studies may be larger than is taken now: a number that means nothing is none.
    return volume.isFinite ? volume : nil
  }

  /// Whether the hypervolume has stopped growing, given the value after the newest completed trial.
  func isConverged(with newest: Double) -> Bool {
    guard policy.convergenceEpsilon > 0, policy.convergenceWindow > 0 else { return false }
    guard hypervolumes.count >= policy.convergenceWindow else { return false }
    let old = hypervolumes[hypervolumes.count - policy.convergenceWindow]
    // It never shrinks, but for studies of older versions, which counted the un-injected base in.
    return newest > 0 && newest >= old && (newest - old) / newest < policy.convergenceEpsilon
  }

  /// Whether a trial uses up budget.
  func isCounted(_ trial: Trial) -> Bool { trial.isInSearch && trial.state.countsTowardsBudget }

  /// How many more proposals the budget allows: open trials hold their place.
  package var proposalsLeft: Int {
    guard header.stopReason == nil, !header.isPaused else { return 0 }
    return max(0, header.budget - finishedCount - openCount)
  }
}
