/// One entry of the append-only event log: what happened, in the order in which it was committed.
package struct StudyEvent: Hashable, Sendable, Codable {
  /// Sequence number: gapless, from 1.
  ///
  /// Order is decided by it alone.
  package var number: Int
  /// Wall-clock time in seconds since 1970, for people only.
  package var time: Double
  /// What happened.
  package var kind: Kind

  package init(number: Int, time: Double, kind: Kind) {
    self.number = number
    self.time = time
    self.kind = kind
  }

  /// What can happen.
  package enum Kind: Hashable, Sendable, Codable {
    case studyCreated(identifier: String)
    case coordinatorStarted(epoch: Int)
    case trialQueued(trial: Int, kind: TrialKind, key: String)
    case attemptLeased(trial: Int, token: AttemptToken, worker: String)
    case attemptStarted(trial: Int, token: AttemptToken)
    case attemptReleased(trial: Int, token: AttemptToken, reason: String)
    case attemptExpired(trial: Int, token: AttemptToken)
    case attemptInterrupted(trial: Int, token: AttemptToken)
    case attemptResumed(trial: Int, token: AttemptToken)
    case attemptCancelled(trial: Int, token: AttemptToken)
    case attemptFailed(trial: Int, token: AttemptToken, failureClass: FailureClass, willRetry: Bool)
    case attemptSuperseded(trial: Int, token: AttemptToken)
    case conflictRefused(trial: Int, token: AttemptToken, detail: String)
    case trialCompleted(trial: Int, token: AttemptToken?, front: [Int], hypervolume: Double?)
    case trialEnded(trial: Int, state: TrialState)
    case trialRequeued(trial: Int)
    case workerQuarantined(worker: String, failures: Int)
    case workerReinstated(worker: String)
    case studyPaused
    case studyResumed
    case budgetChanged(from: Int, to: Int)
    case referencePointFixed(point: [String: Double])
    case studyStopped(reason: StopReason)
    case studyContinued
  }
}
