import Foundations
import BayesianOptimization
import Study

/// What a running study looks like at one moment, for progress displays.
package struct ProgressSnapshot: Sendable, Hashable {
  /// A trial that runs.
  package struct Running: Sendable, Hashable {
    package var trial: Int
    package var configuration: Configuration
    package var worker: String
    /// Steps done and in all (0 = not known), and what is being done.
    package var step: Int
    package var total: Int
    package var phase: String
  }

  /// A trial on the Pareto front.
  package struct FrontPoint: Sendable, Hashable {
    package var trial: Int
    package var configuration: Configuration
    package var objectives: [String: Double]
  }

  package var study: String
  /// Search trials to finish, and finished so far (the base is outside).
  package var budget: Int
  package var finished: Int
  /// Trials by state, the base included.
  package var counts: [TrialState: Int]
  package var running: [Running]
  package var front: [FrontPoint]
  /// Nil until the reference point is fixed.
  package var hypervolume: Double?
  package var workers: Int
  package var idleWorkers: Int
  package var isProposing: Bool
  package var isPaused: Bool
  package var stopReason: StopReason?
  /// Why nothing can be stored at the moment.
  package var trouble: String?
  /// Seconds since this coordinator began, and the estimate of what is left; nil while it is unknown.
  package var elapsedSeconds: Double
  package var remainingSeconds: Double?

  init(_ core: CoordinatorCore, finishedAtStart: Int) {
    let state = core.state
    study = state.definition.name
    budget = state.header.budget
    finished = state.finishedCount
    counts = state.counts.filter { $0.value > 0 }
    var views: [AttemptToken: CoordinatorCore.WorkerView] = [:]
    for worker in core.workers.values { if let token = worker.attempt { views[token] = worker } }
    running = state.running.sorted().compactMap { number in
      guard let attempt = state.trials[number].liveAttempt else { return nil }
      let view = views[attempt.token]
      return Running(
        trial: number, configuration: state.trials[number].configuration, worker: attempt.worker.name,
        step: view?.step ?? 0, total: view?.total ?? 0, phase: view?.phase ?? "")
    }
    front = state.front.map {
      FrontPoint(
        trial: $0, configuration: state.trials[$0].configuration,
        objectives: state.trials[$0].result?.objectives ?? [:])
    }
    hypervolume = state.hypervolumes.last
    workers = core.workers.count
    idleWorkers = core.workers.values.count(where: \.isIdle)
    isProposing = core.proposals.isOpen
    isPaused = state.header.isPaused
    stopReason = state.header.stopReason
    trouble = core.trouble?.message
    elapsedSeconds = core.elapsed.seconds
    let done = state.finishedCount - finishedAtStart
    let left = max(0, state.header.budget - state.finishedCount)
    remainingSeconds = done > 0 ? elapsedSeconds / Double(done) * Double(left) : nil
  }
}
