import BayesianOptimization
import Study

/// A trial as scripts read it.
package struct TrialRow: CompleteRow {
  package struct AttemptRow: CompleteRow {
    package var token: AttemptToken
    package var state: String
    package var worker: String
    package var failure: FailureRecord?
  }
  package var number: Int
  package var kind: String
  package var state: String
  package var configuration: Configuration
  package var objectives: [String: Double]?
  package var standardErrors: [String: Double]?
  package var metrics: [String: Double]?
  package var source: String
  package var seed: UInt64
  package var hypervolume: Double?
  /// ISO 8601, UTC.
  package var started: String?
  package var ended: String?
  package var failure: FailureRecord?
  package var attempts: [AttemptRow]

  package init(_ trial: Trial) {
    number = trial.number
    kind = trial.kind.rawValue
    state = trial.state.rawValue
    configuration = trial.configuration
    objectives = trial.result?.objectives
    standardErrors = trial.result?.standardErrors
    metrics = trial.result?.metrics
    source = trial.provenance.source
    seed = trial.seed
    hypervolume = trial.hypervolume
    let times = TrialTimes(trial)
    started = times.started
    ended = times.ended
    failure = trial.failure
    attempts = trial.attempts.map {
      AttemptRow(token: $0.token, state: $0.state.rawValue, worker: $0.worker.name, failure: $0.failure)
    }
  }
}
