import BayesianOptimization

/// The rules of a study that are not its state: retries, quarantine, convergence and how fronts are measured.
package struct StudyPolicy: Sendable {
  /// Started attempts after which a trial that keeps failing is given up.
  ///
  /// Default 3.
  package var maxCountedAttempts: Int
  /// Hardware failures in a row after which a worker gets no more trials.
  ///
  /// Default 3.
  package var quarantineAfter: Int
  /// Failures in a row of a worker, whatever their class, after which it gets no more trials, provided that another
  /// worker has had a result in the meantime: where all fail, the trials are to blame.
  ///
  /// Failures that are the configuration's (out of memory, diverged) do not count. Default 8.
  package var quarantineAfterFailures: Int
  /// Search trials that fail in a row (no result in between) after which the study stops.
  ///
  /// Default 10.
  package var failingAfter: Int
  /// Stop when the hypervolume grew by less than this fraction over the last `convergenceWindow` completed trials;
  /// 0 (the default) turns the test off.
  package var convergenceEpsilon: Double
  /// Completed trials over which convergence is judged.
  ///
  /// Default 30.
  package var convergenceWindow: Int
  /// Gives the reference point, in the objectives' own units, once the observations suffice to fix it for good.
  package var referencePoint: @Sendable (_ observations: [Observation]) -> [String: Double]?
  /// Hypervolume of points (k rows of m maximised values) above a reference point (m maximised values).
  package var hypervolume: @Sendable (_ points: [[Double]], _ reference: [Double]) -> Double

  package init(
    maxCountedAttempts: Int = 3, quarantineAfter: Int = 3, quarantineAfterFailures: Int = 8, failingAfter: Int = 10,
    convergenceEpsilon: Double = 0, convergenceWindow: Int = 30,
    referencePoint: @escaping @Sendable ([Observation]) -> [String: Double]? = { _ in nil },
    hypervolume: @escaping @Sendable ([[Double]], [Double]) -> Double = { _, _ in 0 }
  ) {
    self.maxCountedAttempts = maxCountedAttempts
    self.quarantineAfter = quarantineAfter
    self.quarantineAfterFailures = quarantineAfterFailures
    self.failingAfter = failingAfter
    self.convergenceEpsilon = convergenceEpsilon
    self.convergenceWindow = convergenceWindow
    self.referencePoint = referencePoint
    self.hypervolume = hypervolume
  }
}

/// What became of a message about an attempt; the worker may forget its outcome in every case.
package enum Verdict: Hashable, Sendable {
  /// It is the trial's result (or failure, or release) now.
  case accepted
  /// The same was received before; nothing changed.
  case repeated
  /// Kept, but another attempt decides the trial.
  case superseded
  /// Contradicts what the same attempt reported before; recorded and not believed.
  case refused(String)
}
