import BayesianOptimization

/// Steps of one attempt while its worker is heard: lease, start, result, failure, release.
extension StudyState {
  /// Gives a queued trial to a worker.
  ///
  /// - Throws: `illegalTransition` if the trial is not queued, or the study paused or ended.
  package func lease(
    trial number: Int, to worker: WorkerIdentity, leaseSeconds: Double, time: Double
  ) throws(StudyError) -> Transition {
    var draft = TransitionDraft(self, time: time)
    var trial = try draft.trial(number)
    guard trial.state == .queued, header.stopReason == nil, !header.isPaused else {
      let why =
        trial.state != .queued
        ? "it is \(trial.state.rawValue)" : header.isPaused ? "the study is paused" : "the study has ended"
      throw StudyError(.illegalTransition, "trial \(number) can not be leased: \(why)")
    }
    let token = AttemptToken(draft.header.nextToken)
    draft.header.nextToken += 1
    trial.attempts.append(
      Attempt(
        token: token, trial: number, ordinal: trial.attempts.count + 1, worker: worker, leaseSeconds: leaseSeconds,
        leasedTime: time))
    trial.state = .running
    draft.changedAttempts.insert(token)
    draft.trials[number] = trial
    draft.emit(.attemptLeased(trial: number, token: token, worker: worker.name))
    return draft.finish()
  }

  /// The worker has begun.
  ///
  /// From here on the attempt counts. Empty if it had begun before.
  ///
  /// - Throws: `unknownToken`; `illegalTransition` if the attempt is no longer live.
  package func start(_ token: AttemptToken, time: Double) throws(StudyError) -> Transition {
    var (attempt, trial) = try known(token)
    var draft = TransitionDraft(self, time: time)
    if attempt.state == .started { return draft.finish() }
    guard attempt.state == .leased else { throw notLive(attempt) }
    attempt.state = .started
    attempt.startedTime = time
    attempt.isCounted = true
    draft.update(attempt, in: &trial)
    draft.trials[trial.number] = trial
    draft.emit(.attemptStarted(trial: trial.number, token: token))
    return draft.finish()
  }

  /// A worker comes back with an attempt that had been given up, before anyone else took the trial: it goes on.
  ///
  /// Empty if the attempt is live anyway; nil if it can not go on, so that the worker should drop it.
  package func readopt(
    _ token: AttemptToken, worker: WorkerIdentity, time: Double
  ) throws(StudyError) -> Transition? {
    var (attempt, trial) = try known(token)
    var draft = TransitionDraft(self, time: time)
    guard attempt.worker.isSameOwner(as: worker) else { return nil }
    if attempt.state.isLive { return draft.finish() }
    guard attempt.state == .expired || attempt.state == .interrupted, trial.state == .queued,
      trial.attempts.last?.token == token, header.stopReason == nil
    else { return nil }
    attempt.state = .started
    attempt.worker = worker
    attempt.startedTime = attempt.startedTime ?? time
    attempt.endedTime = nil
    attempt.isCounted = true
    trial.state = .running
    draft.update(attempt, in: &trial)
    draft.trials[trial.number] = trial
    draft.emit(.attemptResumed(trial: trial.number, token: token))
    return draft.finish()
  }

  /// Takes an attempt's result, without the metrics and standard errors that are no numbers.
  ///
  /// A result with an objective that is not finite, or too large to mean anything, is a failure of class `diverged`; one
  /// without all objectives, or with a negative standard error, a `bug`.
  package func complete(
    _ token: AttemptToken, result: TrialResult, time: Double
  ) throws(StudyError) -> (transition: Transition, verdict: Verdict) {
    let result = result.withoutUselessValues().result
    if let failure = fault(of: result) { return try fail(token, failure, time: time) }
    var (attempt, trial) = try known(token)
    var draft = TransitionDraft(self, time: time)
    if let verdict = repetition(of: attempt, result: result, failure: nil, draft: &draft) {
      return (draft.finish(), verdict)
    }
    attempt.result = result
    attempt.endedTime = time
    let isDecisive = attempt.state.isLive || (trial.state == .queued && attempt.state != .cancelled)
    attempt.state = isDecisive ? .succeeded : .superseded
    draft.update(attempt, in: &trial)
    if isDecisive {
      draft.complete(&trial, result: result, token: token)
      return (draft.finish(), .accepted)
    }
    draft.trials[trial.number] = trial
    draft.emit(.attemptSuperseded(trial: trial.number, token: token))
    return (draft.finish(), .superseded)
  }

  /// Takes an attempt's failure and applies the policy of its class.
  ///
  /// `largestDeviceBytes` is the largest device memory among the connected workers, if known. A failure that `isFinal`
  /// ends the trial whatever attempts are left.
  package func fail(
    _ token: AttemptToken, _ failure: FailureRecord, largestDeviceBytes: Int64? = nil, isFinal: Bool = false,
    time: Double
  ) throws(StudyError) -> (transition: Transition, verdict: Verdict) {
    if failure.failureClass == .preempted { return try release(token, reason: failure.message, time: time) }
    var (attempt, trial) = try known(token)
    var draft = TransitionDraft(self, time: time)
    if let verdict = repetition(of: attempt, result: nil, failure: failure, draft: &draft) {
      return (draft.finish(), verdict)
    }
    attempt.failure = failure
    attempt.endedTime = time
    guard attempt.state.isLive else {
      attempt.state = .superseded
      draft.update(attempt, in: &trial)
      draft.trials[trial.number] = trial
      draft.emit(.attemptSuperseded(trial: trial.number, token: token))
      return (draft.finish(), .superseded)
    }
    attempt.state = .failed
    attempt.isCounted = true
    draft.update(attempt, in: &trial)
    draft.settle(&trial, failed: attempt, failure, largestDeviceBytes: largestDeviceBytes, isFinal: isFinal)
    return (draft.finish(), .accepted)
  }

  /// The worker gives the trial back (preemption, drain): not counted, the trial runs again.
  package func release(
    _ token: AttemptToken, reason: String, time: Double
  ) throws(StudyError) -> (transition: Transition, verdict: Verdict) {
    var (attempt, trial) = try known(token)
    var draft = TransitionDraft(self, time: time)
    guard attempt.state.isLive else {
      return (draft.finish(), attempt.state == .released ? .repeated : .superseded)
    }
    attempt.state = .released
    attempt.isCounted = false
    attempt.endedTime = time
    draft.update(attempt, in: &trial)
    draft.emit(.attemptReleased(trial: trial.number, token: token, reason: reason))
    draft.requeue(&trial)
    return (draft.finish(), .accepted)
  }

  // MARK: - Helpers

  /// Why a result does not count as one; nil where it does.
  private func fault(of result: TrialResult) -> FailureRecord? {
    let nonFinite = result.objectives.filter { !$0.value.isFinite }.map(\.key).sorted()
    if !nonFinite.isEmpty {
      return FailureRecord(
        failureClass: .diverged, message: "not finite: \(nonFinite.joined(separator: ", "))",
        nextStep: "look at the trial's loss curve; a smaller learning rate may help")
    }
    if let extreme = result.extremeObjective {
      return FailureRecord(
        failureClass: .diverged, message: extreme,
        nextStep: "let the evaluator report NaN for what it cannot measure; a penalty of such a size drowns every "
          + "difference between the others")
    }
    if result.maximized(definition.objectives) == nil {
      let missing = definition.objectives.map(\.name).filter { result.objectives[$0] == nil }
      return FailureRecord(
        failureClass: .bug, message: "the result lacks \(missing.joined(separator: ", "))",
        nextStep: "let the evaluator report every objective of the study")
    }
    return result.negativeStandardError.map {
      FailureRecord(
        failureClass: .bug, message: $0, nextStep: "leave a standard error out where it is not known")
    }
  }

  func known(_ token: AttemptToken) throws(StudyError) -> (Attempt, Trial) {
    guard let found = attempt(token) else {
      throw StudyError(
        .unknownToken,
        "study \(definition.name) never gave out attempt \(token); does the worker belong to another study?")
    }
    return (found.attempt, found.trial)
  }

  func notLive(_ attempt: Attempt) -> StudyError {
    StudyError(
      .illegalTransition,
      "attempt \(attempt.token) of trial \(attempt.trial) is \(attempt.state.rawValue), it no longer holds the trial")
  }

  /// The verdict on an outcome that was reported before; nil if this is the first.
  ///
  /// A contradiction is recorded.
  private func repetition(
    of attempt: Attempt, result: TrialResult?, failure: FailureRecord?, draft: inout TransitionDraft
  ) -> Verdict? {
    guard attempt.result != nil || attempt.failure != nil else { return nil }
    if attempt.result == result && attempt.failure == failure {
      return attempt.state == .superseded ? .superseded : .repeated
    }
    let detail = "attempt \(attempt.token) had reported a different outcome before; the first one stands"
    guard !attempt.hasConflict, var trial = try? draft.trial(attempt.trial) else { return .refused(detail) }
    var marked = attempt
    marked.hasConflict = true
    draft.update(marked, in: &trial)
    draft.trials[trial.number] = trial
    draft.emit(.conflictRefused(trial: trial.number, token: attempt.token, detail: detail))
    return .refused(detail)
  }
}
