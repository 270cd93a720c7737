import Study
import Transport
import WireProtocol

/// What attempts end with.
extension CoordinatorCore {
  /// Commits an outcome and lets the session acknowledge it.
  mutating func take(_ submission: Submission, id: Int64, _ peer: Peer) {
    let token = submission.attempt
    guard let name = workerName(peer), workers[name]?.peer == peer else { return }
    if let attempt = state.attempt(token)?.attempt, !isOwner(peer, of: attempt) {
      let why = attempt.worker.name == name ? "was begun under another key" : "belongs to \(attempt.worker.name)"
      note(.warning, "\(name): an outcome of attempt \(token), which \(why), was refused")
      return feed(.settled(id: id, .conflict), to: peer)
    }
    let answer: (transition: Transition, verdict: Verdict)
    do throws(StudyError) {
      answer = try step(for: submission)
    } catch {
      note(.warning, "\(name): \(error.message)")
      return feed(.settled(id: id, .conflict), to: peer)
    }
    // What is said again is acknowledged again, if it is still there.
    let isSafe = answer.transition.isEmpty ? isConfirmed() : commit(answer.transition)
    guard isSafe else {
      if let problem = unstorable { failUnstorable(token, id: id, problem, peer) }
      return
    }
    finish(token, submission, answer, name)
    feed(.settled(id: id, answer.verdict.onTheWire), to: peer)
  }

  private func step(
    for submission: Submission
  ) throws(StudyError) -> (transition: Transition, verdict: Verdict) {
    let token = submission.attempt
    switch submission {
    case .result(let report): return try state.complete(token, result: report.result, time: time.wall)
    case .failure(let report):
      let largest = workers.values.compactMap(\.identity.deviceBytes).max()
      return try state.fail(
        token, report.record.clippedForStudy(), largestDeviceBytes: largest, time: time.wall)
    case .released(let report):
      if report.reason == .preempted, let known = state.attempt(token), known.attempt.state.isLive,
        let began = begun[token], time.now - began < settings.quickRelease,
        let failure = endlessRelease(known.trial.number)
      {
        return try state.fail(token, failure, isFinal: true, time: time.wall)
      }
      return try state.release(token, reason: report.reason.rawValue, time: time.wall)
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
    case .released(let report): noteRelease(token, trial: known.trial.number, report.reason, by: name)
    case .result, .failure: forgetReleases(of: known.trial.number, by: name)
    }
    guard let failure = known.attempt.failure else { return }
    announceQuarantine(answer.transition.events, failure)
    restAfterFailure(name)
  }

  /// Ends an attempt whose outcome can never be stored; it would come again for ever.
  private mutating func failUnstorable(_ token: AttemptToken, id: Int64, _ problem: StudyError, _ peer: Peer) {
    unstorable = nil
    end(
      token, id: id, "the outcome cannot be stored: \(problem.message)", next: "look at what the evaluator reports",
      peer)
  }

  /// Ends an attempt whose outcome breaks the limits of the protocol; it would be refused for ever.
  mutating func refuse(_ token: AttemptToken, id: Int64, _ reason: String, _ peer: Peer) {
    guard let known = state.attempt(token), isOwner(peer, of: known.attempt) else { return }
    end(
      token, id: id, "the outcome was refused: \(reason)",
      next: "let the evaluator report at most \(WireLimits.objectives) objectives and \(WireLimits.metrics) metrics",
      peer)
  }

  private mutating func end(_ token: AttemptToken, id: Int64, _ text: String, next: String, _ peer: Peer) {
    let failure = FailureRecord(failureClass: .bug, message: text, nextStep: next).clippedForStudy()
    guard let answer = try? state.fail(token, failure, time: time.wall) else {
      return feed(.settled(id: id, .conflict), to: peer)
    }
    guard answer.transition.isEmpty ? isConfirmed() : commit(answer.transition) else { return }
    let report = FailureReport(attempt: token, started: true, record: failure)
    if let name = workerName(peer) { finish(token, .failure(report), answer, name) }
    feed(.settled(id: id, .conflict), to: peer)
  }

  private mutating func announce(_ token: AttemptToken, _ submission: Submission, _ verdict: Verdict) {
    guard let (attempt, trial) = state.attempt(token) else { return }
    switch (submission, verdict) {
    case (_, .refused(let why)): note(.warning, "trial \(trial.number): \(why)")
    case (_, .superseded):
      note(.info, "trial \(trial.number): a late outcome of attempt \(token) is kept for the record")
    case (_, .repeated): break
    case (.released(let report), .accepted) where attempt.failure == nil:
      note(.info, "trial \(trial.number) given back (\(report.reason.rawValue))")
    case (_, .accepted):
      if let failure = attempt.failure {
        let next = trial.state == .queued ? "runs again" : trial.state.rawValue
        note(.warning, "trial \(trial.number) (\(next)), \(failure.failureClass): \(failure.message)")
      } else {
        note(.debug, "trial \(trial.number) \(trial.state.rawValue)")
      }
      guard case .result(let report) = submission else { return }
      let dropped = report.result.withoutUselessValues().dropped
      guard !dropped.isEmpty, attempt.failure == nil else { return }
      note(
        .warning,
        "trial \(trial.number): \(dropped.joined(separator: ", ")) \(dropped.count == 1 ? "is" : "are") not finite and left "
          + "out; the objectives count")
    }
  }
}
