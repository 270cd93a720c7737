/// Steps that happen to an attempt without its worker, and steps of the user on a trial.
extension StudyState {
  /// Why an attempt is taken away from a worker that is not heard.
  package enum Loss: Hashable, Sendable {
    /// Nothing was heard for longer than the lease.
    case leaseExpired
    /// A new incarnation of the worker has appeared: the old process is dead.
    case workerReplaced
    /// The coordinator was away and the worker has not come back; not the trial's fault, not counted.
    case coordinatorRestarted
    /// Signs of life, but no progress for longer than the limit.
    case stalled(Duration)

    var isSilence: Bool { if case .stalled = self { false } else { true } }
  }

  /// Takes the lease of a live attempt back.
  ///
  /// The trial runs again, or is given up after too many started attempts.
  ///
  /// Empty if the attempt is not live any more.
  package func lose(_ token: AttemptToken, _ loss: Loss, time: Double) throws(StudyError) -> Transition {
    var (attempt, trial) = try known(token)
    var draft = TransitionDraft(self, time: time)
    guard attempt.state.isLive else { return draft.finish() }
    let isFault = loss != .coordinatorRestarted
    attempt.isCounted = isFault && attempt.state == .started
    attempt.state = isFault ? .expired : .interrupted
    attempt.endedTime = time
    draft.update(attempt, in: &trial)
    draft.emit(
      isFault
        ? .attemptExpired(trial: trial.number, token: token)
        : .attemptInterrupted(trial: trial.number, token: token))
    guard isFault, trial.countedAttempts >= policy.maxCountedAttempts else {
      draft.requeue(&trial)
      return draft.finish()
    }
    let workers = Set(trial.attempts.filter { $0.isCounted }.map(\.worker.name)).sorted().joined(separator: ", ")
    draft.end(
      &trial, as: .failed,
      failure: FailureRecord(
        failureClass: .bug,
        message: loss.isSilence
          ? "the worker vanished in \(trial.countedAttempts) started attempts (on \(workers))"
          : "no progress within the limit in the last of \(trial.countedAttempts) started attempts (on \(workers))",
        host: attempt.worker.host, device: attempt.worker.device, deviceBytes: attempt.worker.deviceBytes,
        nextStep: "look at the workers' logs; `engram trial retry` gives it another chance"))
    return draft.finish()
  }

  /// Takes a trial out of the study; a running attempt is cancelled, its token returned so that its worker can be told.
  ///
  /// - Throws: `illegalTransition` if the trial has a result.
  package func abandon(
    trial number: Int, time: Double
  ) throws(StudyError) -> (transition: Transition, cancelled: AttemptToken?) {
    var draft = TransitionDraft(self, time: time)
    var trial = try draft.trial(number)
    guard trial.state != .completed, trial.state != .abandoned else {
      throw StudyError(
        .illegalTransition, "trial \(number) is \(trial.state.rawValue); only a trial without a result can be abandoned"
      )
    }
    var cancelled: AttemptToken?
    if var attempt = trial.liveAttempt {
      attempt.state = .cancelled
      attempt.isCounted = false
      attempt.endedTime = time
      cancelled = attempt.token
      draft.update(attempt, in: &trial)
      draft.emit(.attemptCancelled(trial: number, token: attempt.token))
    }
    draft.end(&trial, as: .abandoned, failure: trial.failure)
    return (draft.finish(), cancelled)
  }

  /// Puts a trial that ended without a result back into the queue; its used-up attempts are forgiven.
  ///
  /// - Throws: `illegalTransition` if the trial is not such a one, or the budget has no room for it.
  package func retry(trial number: Int, time: Double) throws(StudyError) -> Transition {
    var draft = TransitionDraft(self, time: time)
    var trial = try draft.trial(number)
    guard trial.state.isTerminal, trial.state != .completed else {
      throw StudyError(
        .illegalTransition,
        "trial \(number) is \(trial.state.rawValue); only a trial that ended without a result can be retried")
    }
    if trial.state == .abandoned, trial.isInSearch, header.budget - finishedCount - openCount <= 0 {
      throw StudyError(
        .illegalTransition,
        "the budget of \(header.budget) trials has no room for trial \(number); raise `study.budget`")
    }
    trial.forgivenAttempts += trial.countedAttempts
    trial.needsMoreThanBytes = nil
    if draft.header.stopReason != nil {
      draft.header.stopReason = nil
      draft.emit(.studyContinued)
    }
    draft.requeue(&trial)
    return draft.finish()
  }

  /// The queued trial that a worker should get next: the lowest number that fits its device and has not failed on it;
  /// nil if there is none.
  ///
  /// A trial that has failed on this worker, or vanished with it, is left to `others`, the other workers that are here
  /// and at work, as long as one of them could take it: one bad machine must not use up all attempts of a trial. Nobody
  /// waits for a worker that may never come.
  package func nextTrial(for worker: WorkerIdentity, others: some Collection<WorkerIdentity>) -> Int? {
    guard header.stopReason == nil, !header.isPaused, !header.quarantined.contains(worker.name) else { return nil }
    return queued.first { number in
      let trial = trials[number]
      guard trial.fits(worker) else { return false }
      return !trial.hasFailed(on: worker)
        || !others.contains {
          trial.fits($0) && !trial.hasFailed(on: $0) && !header.quarantined.contains($0.name)
        }
    }
  }
}

extension StudyState {
  /// Whether a queued trial ran out of memory before and none of these workers has a larger device and may take it.
  package func needsLargerDevice(trial number: Int, than workers: some Sequence<WorkerIdentity>) -> Bool {
    let trial = trials[number]
    guard trial.state == .queued, trial.needsMoreThanBytes != nil else { return false }
    return !workers.contains { trial.fits($0) && !header.quarantined.contains($0.name) }
  }
}

extension Trial {
  /// What a queued trial waits for that has run out of memory, and what to do: "trial 7 waits for …"; nil for others.
  package var memoryWait: String? {
    guard state == .queued, let bytes = needsMoreThanBytes else { return nil }
    // Rounded without a sum that could overflow: a damaged study may hold any number.
    let (unit, shift) = bytes >= 10 << 30 ? ("GiB", Int64(30)) : ("MiB", 20)
    let size = "\((bytes >> shift) + (bytes >> (shift - 1) & 1)) \(unit)"
    return "trial \(number) ran out of memory and waits for a worker with more than \(size) of device memory "
      + "(start one, or give the trial up: engram trial abandon \(number))"
  }

  fileprivate func fits(_ worker: WorkerIdentity) -> Bool {
    guard let bytes = needsMoreThanBytes, let own = worker.deviceBytes else { return true }
    return own > bytes
  }

  fileprivate func hasFailed(on worker: WorkerIdentity) -> Bool {
    attempts.contains { $0.worker.name == worker.name && ($0.state == .failed || $0.state == .expired) }
  }
}

extension TransitionDraft {
  /// Applies the policy of a failure's class to its trial: requeue or end; quarantines the worker where due.
  mutating func settle(
    _ trial: inout Trial, failed attempt: Attempt, _ failure: FailureRecord, largestDeviceBytes: Int64?, isFinal: Bool
  ) {
    let isUsedUp = isFinal || trial.countedAttempts >= state.policy.maxCountedAttempts
    var terminal: TrialState? = isUsedUp ? .failed : nil
    if failure.failureClass == .diverged {
      terminal = .diverged
    } else if failure.failureClass == .outOfMemory {
      let size = failure.deviceBytes ?? attempt.worker.deviceBytes
      if !isUsedUp, let size, let largest = largestDeviceBytes, largest > size {
        trial.needsMoreThanBytes = max(size, trial.needsMoreThanBytes ?? 0)
        terminal = nil
      } else {
        terminal = .infeasible
      }
    }
    emit(
      .attemptFailed(
        trial: trial.number, token: attempt.token, failureClass: failure.failureClass, willRetry: terminal == nil))
    quarantineIfDue(attempt.worker.name, failure.failureClass)
    if let terminal { end(&trial, as: terminal, failure: failure) } else { requeue(&trial) }
  }

  /// Takes a worker out of service: after hardware failures in a row, or after failures of any kind while others work.
  private mutating func quarantineIfDue(_ worker: String, _ failureClass: FailureClass) {
    guard !header.quarantined.contains(worker), failureClass.blamesWorker else { return }
    let hardware = (state.hardwareFailures[worker] ?? 0) + 1
    let streak = state.failureStreaks[worker] ?? StudyState.FailureStreak()
    let failures = streak.count + 1
    let isBroken = failureClass == .hardware && hardware >= state.policy.quarantineAfter
    let isBad = failures >= state.policy.quarantineAfterFailures && streak.othersSucceeded
    guard isBroken || isBad else { return }
    header.quarantined.insert(worker)
    emit(.workerQuarantined(worker: worker, failures: isBroken ? hardware : failures))
  }
}
