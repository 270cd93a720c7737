import BayesianOptimization
import Report
import Study

extension TrialCommand {
  /// A trial as scripts read it.
  struct Row: CompleteRow {
    struct AttemptRow: CompleteRow {
      var token: AttemptToken
      var state: String
      var worker: String
      var failure: FailureRecord?
    }
    var number: Int
    var kind: String
    var state: String
    var configuration: Configuration
    var objectives: [String: Double]?
    var standardErrors: [String: Double]?
    var metrics: [String: Double]?
    var source: String
    var seed: UInt64
    var hypervolume: Double?
    /// ISO 8601, UTC.
    var started: String?
    var ended: String?
    var failure: FailureRecord?
    var attempts: [AttemptRow]

    init(_ trial: Trial) {
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
}
