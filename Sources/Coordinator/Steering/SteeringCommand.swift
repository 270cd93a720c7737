import BayesianOptimization
import Study

/// What a person (or a program in their name) wants of a running study.
package enum SteeringCommand: Sendable, Hashable, Codable {
  case pause
  case resume
  /// Puts a trial that ended without a result back into the queue.
  case retry(trial: Int)
  /// Takes a trial out of the study.
  case abandon(trial: Int)
  /// Adds a configuration to evaluate.
  case enqueue(configuration: Configuration)
  /// Adds a configuration with its known result.
  case attach(configuration: Configuration, result: TrialResult)
  /// Leases the next trial to somebody who is not connected as a worker.
  case ask(worker: String)
  /// Reports an outcome of a trial leased by `ask`.
  case tell(token: AttemptToken, result: TrialResult)
  case tellFailure(token: AttemptToken, failure: FailureRecord)
  /// Lets a quarantined worker take trials again.
  case reinstate(worker: String)
}

/// The answer to a steering command.
package struct SteeringReply: Sendable, Hashable, Codable {
  /// What was done, in a sentence.
  package var message: String
  /// The trial concerned, with its newest attempt.
  package var trial: Trial?

  package init(message: String, trial: Trial? = nil) {
    self.message = message
    self.trial = trial
  }
}
