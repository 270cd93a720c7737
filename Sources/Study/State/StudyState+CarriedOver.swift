import BayesianOptimization

/// Steps with which a study begins that takes over what another one has measured.
extension StudyState {
  /// Adds a trial of another study that has ended there: with its result, or as one that cannot work.
  ///
  /// It keeps the seed it was trained with.
  ///
  /// - Parameters:
  ///   - origin: the trial there.
  ///   - result: its result in terms of this study's objectives; nil for a trial without one.
  /// - Throws: `duplicateKey`; `illegalTransition` for a trial that is neither completed, diverged nor infeasible.
  package func carryOver(
    _ origin: Trial, result: TrialResult?, key: String, provenance: Provenance, time: Double
  ) throws(StudyError) -> Transition {
    if let known = trial(key: key) {
      throw StudyError(.duplicateKey, "the same configuration as trial \(known.number)")
    }
    var draft = TransitionDraft(self, time: time)
    let number = draft.add(.attached, configuration: origin.configuration, key: key, provenance: provenance)
    guard var trial = draft.trials[number] else { return draft.finish() }
    trial.seed = origin.seed
    switch (origin.state, result) {
    case (.completed, let result?): draft.complete(&trial, result: result, token: nil)
    case (.diverged, _), (.infeasible, _): draft.end(&trial, as: origin.state, failure: origin.failure)
    default:
      throw StudyError(
        .illegalTransition, "trial \(origin.number) is \(origin.state.rawValue), it has nothing to carry over")
    }
    return draft.finish()
  }

  /// Gives the queued trial `number` (the base) the result that another study has measured.
  package func fulfil(
    trial number: Int, from origin: Trial, result: TrialResult, provenance: Provenance, time: Double
  ) throws(StudyError) -> Transition {
    var draft = TransitionDraft(self, time: time)
    var trial = try draft.trial(number)
    guard trial.state == .queued else {
      throw StudyError(.illegalTransition, "trial \(number) is \(trial.state.rawValue), not waiting for a result")
    }
    trial.seed = origin.seed
    trial.provenance = provenance
    draft.complete(&trial, result: result, token: nil)
    return draft.finish()
  }

  /// The first `count` points of the initial design are known already: the sampler goes on after them.
  func skippingInitialPoints(_ count: Int) -> StudyHeader {
    var header = header
    header.nextProposal = max(header.nextProposal, count)
    return header
  }
}
