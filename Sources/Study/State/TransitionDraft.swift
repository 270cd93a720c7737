import BayesianOptimization
import Foundation

/// A transition in the making: reads from the state it started from, collects what changes.
struct TransitionDraft {
  let state: StudyState
  let time: Double
  var header: StudyHeader
  var events: [StudyEvent] = []
  var trials: [Int: Trial] = [:]
  var changedAttempts: Set<AttemptToken> = []
  var warmStarts: [Int: Data] = [:]

  init(_ state: StudyState, time: Double) {
    self.state = state
    self.time = time
    header = state.header
  }

  /// Appends an event and returns its number.
  @discardableResult
  mutating func emit(_ kind: StudyEvent.Kind) -> Int {
    header.lastEvent += 1
    events.append(StudyEvent(number: header.lastEvent, time: time, kind: kind))
    return header.lastEvent
  }

  /// The trial as it stands in this draft.
  func trial(_ number: Int) throws(StudyError) -> Trial {
    if let changed = trials[number] { return changed }
    return try state.trial(number)
  }

  /// Changes an attempt and remembers that it changed.
  mutating func update(_ attempt: Attempt, in trial: inout Trial) {
    guard let position = trial.attempts.firstIndex(where: { $0.token == attempt.token }) else { return }
    trial.attempts[position] = attempt
    changedAttempts.insert(attempt.token)
  }

  /// Puts a trial back into the queue.
  mutating func requeue(_ trial: inout Trial) {
    trial.state = .queued
    trial.failure = nil
    trial.endedEvent = nil
    emit(.trialRequeued(trial: trial.number))
    trials[trial.number] = trial
  }

  /// Ends a trial without a result.
  mutating func end(_ trial: inout Trial, as terminal: TrialState, failure: FailureRecord?) {
    trial.state = terminal
    trial.failure = failure
    trial.endedEvent = emit(.trialEnded(trial: trial.number, state: terminal))
    trials[trial.number] = trial
    checkForStop(after: trial)
  }

  /// Completes a trial: updates front and hypervolume, fixes the reference point when that has become possible.
  mutating func complete(_ trial: inout Trial, result: TrialResult, token: AttemptToken?) {
    trial.state = .completed
    trial.result = result
    trial.failure = nil
    var front = state.paretoFront
    front.add(trial)
    if header.referencePoint == nil {
      let history = state.observations + [StudyState.observation(of: trial)]
      if let point = state.policy.referencePoint(history) {
        header.referencePoint = point
        emit(.referencePointFixed(point: point))
      }
    }
    trial.hypervolume = state.hypervolume(of: front, reference: header.referencePoint)
    trial.endedEvent = emit(
      .trialCompleted(trial: trial.number, token: token, front: front.numbers, hypervolume: trial.hypervolume))
    trials[trial.number] = trial
    checkForStop(after: trial)
  }

  /// Ends the study where the rules say so.
  mutating func checkForStop(after trial: Trial? = nil) {
    guard header.stopReason == nil else { return }
    let before = state.finishedCount
    let wasCounted = trial.map { state.trials.indices.contains($0.number) && state.isCounted(state.trials[$0.number]) }
    let isCounted = trial.map { state.isCounted($0) } ?? false
    let finished = before - (wasCounted ?? false ? 1 : 0) + (isCounted ? 1 : 0)
    let changed = trials.keys.count { state.trials.indices.contains($0) && !state.trials[$0].state.isTerminal }
    let open = state.queued.count + state.running.count - changed + trials.values.count { !$0.state.isTerminal }
    if finished >= header.budget && open == 0 {
      stop(.budget)
    } else if let trial, trial.state == .failed, trial.kind == .search,
      state.failuresInARow + 1 >= state.policy.failingAfter, !isOneWorkersFault(trial)
    {
      stop(.failing)
    } else if let trial, let value = trial.hypervolume, state.isConverged(with: value) {
      stop(.converged)
    }
  }

  /// Whether all failures since the last result happened on one worker while another one is at work: a bad machine is
  /// no reason to end the study of the others.
  private func isOneWorkersFault(_ trial: Trial) -> Bool {
    let workers = state.failingWorkers.union(trial.failingWorkers)
    guard workers.count == 1 else { return false }
    return state.running.contains { number in
      guard number != trial.number, let live = state.trials[number].liveAttempt else { return false }
      return !workers.contains(live.worker.name)
    }
  }

  mutating func stop(_ reason: StopReason) {
    header.stopReason = reason
    emit(.studyStopped(reason: reason))
  }

  /// The finished transition.
  func finish() -> Transition {
    Transition(
      events: events, header: header, trials: trials.values.sorted { $0.number < $1.number },
      changedAttempts: changedAttempts, warmStarts: warmStarts)
  }
}
