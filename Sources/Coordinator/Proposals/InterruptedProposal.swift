import BayesianOptimization
import Study

/// What the sampler saw when an earlier coordinator process asked it for a proposal that was never committed.
///
/// A proposal is asked for at the moment at which the last waiting trial is leased. If results come in while it is being
/// computed and the process dies before its commit, asking again with those results would give another proposal than the
/// uninterrupted search has made: the question is repeated as it was.
struct InterruptedProposal {
  /// Number of the last event that the question took into account.
  var eventNumber: Int
  var observations: [Observation]
  /// Numbers of the trials that were pending, ascending.
  var pending: [Int]

  /// Finds the question in the study; nil where none was open.
  ///
  /// Reads the events from the newest on, a few in the usual case.
  init?(_ state: StudyState, in store: any StudyStore) throws {
    guard state.proposalsLeft > 0, !state.queued.contains(where: { state.trials[$0].isInSearch }) else {
      return nil
    }
    guard let number = try Self.lastLease(state, store) else { return nil }
    eventNumber = number
    let isEnded = { (trial: Trial) in trial.state.isTerminal && trial.endedEvent.map { $0 <= number } ?? false }
    observations = state.ended.filter { isEnded(state.trials[$0]) && state.trials[$0].state != .abandoned }
      .map { StudyState.observation(of: state.trials[$0]) }
    pending = state.trials.filter { !isEnded($0) || $0.state == .abandoned }.map(\.number)
  }

  /// The event by which the queue became empty for good; nil if something else than results has happened since.
  private static func lastLease(_ state: StudyState, _ store: any StudyStore) throws -> Int? {
    var end = state.header.lastEvent
    while end > 0 {
      let start = max(0, end - 64)
      for event in try store.events(after: start, limit: end - start).reversed() {
        switch event.kind {
        case .attemptLeased(let trial, _, _), .attemptResumed(let trial, _):
          if state.trials[trial].isInSearch { return event.number }
        case .trialQueued(let trial, _, _), .trialRequeued(let trial):
          if state.trials[trial].isInSearch { return nil }
        case .studyStopped, .studyContinued, .studyPaused, .studyResumed, .budgetChanged, .studyCreated: return nil
        default: break
        }
      }
      end = start
    }
    return nil
  }
}
