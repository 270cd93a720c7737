import Study
import Transport
import WireProtocol

/// What attempts end with.
extension CoordinatorCore {
  /// Commits an outcome and acknowledges it.
  mutating func commitOutcome(_ submission: Submission, id: Int64, _ peer: Peer) {
    let token = submission.attempt
    guard let name = workerName(peer), workers[name]?.peer == peer else { return }
    if let attempt = state.attempt(token)?.attempt, !isOwner(peer, of: attempt) {
      let why = attempt.worker.name == name ? "was begun under another key" : "belongs to \(attempt.worker.name)"
      log(.warning, "\(name): an outcome of attempt \(token), which \(why), was refused")
      return acknowledge(id, .conflict, to: peer)
    }
    let answer: (transition: Transition, verdict: Verdict)
    do throws(StudyError) {
      answer = try step(for: submission)
    } catch {
      log(.warning, "\(name): \(error.message)")
      return acknowledge(id, .conflict, to: peer)
    }
    switch commitOrConfirm(answer.transition) {
    case .notStored: break
    case .stored:
      finish(token, submission, answer, name)
      acknowledge(id, answer.verdict.onTheWire, to: peer)
    case .impossible(let problem):
      // It would come again for ever.
      end(
        token, id: id, "the outcome cannot be stored: \(problem.message)", next: "look at what the evaluator reports",
        peer)
    }
  }

  /// Commits a step; one that changes nothing is said again, and what it rests on has to be there still.
  private mutating func commitOrConfirm(_ transition: Transition) -> CommitResult {
    transition.isEmpty ? (isConfirmed() ? .stored : .notStored) : tryCommit(transition)
  }

  private func step(
    for submission: Submission
  ) throws(StudyError) -> (transition: Transition, verdict: Verdict) {
    let token = submission.attempt
    switch submission {
    case .result(let report): return try state.complete(token, result: report.result, time: wallTime)
    case .failure(let report):
      let largest = workers.values.compactMap(\.identity.deviceBytes).max()
      return try state.fail(
        token, report.record.clippedForStudy(), largestDeviceBytes: largest, time: wallTime)
    case .released(let report):
      if report.reason == .preempted, let known = state.attempt(token), known.attempt.state.isLive,
        let began = begun[token], now - began < settings.quickRelease,
        let failure = endlessRelease(known.trial.number)
      {
        return try state.fail(token, failure, isFinal: true, time: wallTime)
      }
      return try state.release(token, reason: report.reason.rawValue, time: wallTime)
    }
  }

  /// What follows from a committed outcome.
  private mutating func finish(
    _ token: AttemptToken, _ submission: Submission, _ answer: (transition: Transition, verdict: Verdict),
    _ name: String
  ) {
    deadlines[token] = nil
    if workers[name]?.attempt == token { workers[name]?.attempt = nil }
    announce(token, submission, answer.verdict)
    guard answer.verdict == .accepted, let known = state.attempt(token) else { return }
    switch submission {
    case .released(let report): recordRelease(token, trial: known.trial.number, report.reason, by: name)
    case .result, .failure: forgetReleases(of: known.trial.number, by: name)
    }
    guard let failure = known.attempt.failure else { return }
    announceQuarantine(answer.transition.events, failure)
    restAfterFailure(name)
  }

  /// Ends an attempt whose outcome breaks the limits of the protocol; it would be refused every time.
  mutating func refuse(_ token: AttemptToken, id: Int64, _ reason: String, _ peer: Peer) {
    guard let known = state.attempt(token), isOwner(peer, of: known.attempt) else { return }
    end(
      token, id: id, "the outcome was refused: \(reason)",
      next: "let the evaluator report at most \(WireLimits.objectives) objectives and \(WireLimits.metrics) metrics",
      peer)
  }

  private mutating func end(_ token: AttemptToken, id: Int64, _ text: String, next: String, _ peer: Peer) {
    let failure = FailureRecord(failureClass: .bug, message: text, nextStep: next).clippedForStudy()
    // An attempt that cannot fail any more has another outcome already, or is unknown.
    guard let answer = try? state.fail(token, failure, time: wallTime) else {
      return acknowledge(id, .conflict, to: peer)
    }
    switch commitOrConfirm(answer.transition) {
    case .notStored: break
    case .stored:
      let report = FailureReport(attempt: token, started: true, record: failure)
      if let name = workerName(peer) { finish(token, .failure(report), answer, name) }
      acknowledge(id, .conflict, to: peer)
    case .impossible(let problem): fail(with: problem)
    }
  }

  private mutating func announce(_ token: AttemptToken, _ submission: Submission, _ verdict: Verdict) {
    guard let (attempt, trial) = state.attempt(token) else { return }
    switch (submission, verdict) {
    case (_, .refused(let why)): log(.warning, "trial \(trial.number): \(why)")
    case (_, .superseded):
      log(.info, "trial \(trial.number): a late outcome of attempt \(token) is kept for the record")
    case (_, .repeated): break
    case (.released(let report), .accepted) where attempt.failure == nil:
      log(.info, "trial \(trial.number) given back (\(report.reason.rawValue))")
    case (_, .accepted):
      if let failure = attempt.failure {
        let next = trial.state == .queued ? "runs again" : trial.state.rawValue
        log(.warning, "trial \(trial.number) (\(next)), \(failure.failureClass): \(failure.message)")
      } else {
        log(.debug, "trial \(trial.number) \(trial.state.rawValue)")
      }
      guard case .result(let report) = submission else { return }
      let dropped = report.result.withoutUselessValues().dropped
      guard !dropped.isEmpty, attempt.failure == nil else { return }
      log(
        .warning,
        "trial \(trial.number): \(dropped.joined(separator: ", ")) \(dropped.count == 1 ? "is" : "are") not finite and left "
          + "out; the objectives count")
    }
  }
}
