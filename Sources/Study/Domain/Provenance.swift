import BayesianOptimization

/// Where a trial's configuration came from, complete enough to compute the proposal again.
package struct Provenance: Hashable, Sendable, Codable {
  /// `initial`, `nehvi`, `sobol` …; `anchor`, `attached` and `forked` for trials that no sampler proposed.
  package var source: String
  /// Running number of the proposal, from 0; nil where no sampler proposed.
  package var proposalIndex: Int?
  /// Fallbacks that were taken, in order; empty if none.
  package var fallbacks: [String]
  /// Number of the last event the sampler had seen.
  package var eventNumber: Int
  /// Numbers of the trials that were pending, ascending.
  package var pending: [Int]
  /// Number of the trial whose committed warm start was used; nil for a cold start.
  package var warmStartFrom: Int?
  /// Whether a warm start was committed with this proposal.
  package var hasWarmStart: Bool
  /// Value of the acquisition function.
  package var acquisition: Double?
  /// What the sampler reports about itself.
  package var diagnostics: [String: Double]
  /// The trial of another study that this one was carried over from; nil where it was not.
  package var origin: TrialOrigin?

  package init(
    source: String, proposalIndex: Int? = nil, fallbacks: [String] = [], eventNumber: Int, pending: [Int] = [],
    warmStartFrom: Int? = nil, hasWarmStart: Bool = false, acquisition: Double? = nil,
    diagnostics: [String: Double] = [:], origin: TrialOrigin? = nil
  ) {
    self.source = source
    self.proposalIndex = proposalIndex
    self.fallbacks = fallbacks
    self.eventNumber = eventNumber
    self.pending = pending
    self.warmStartFrom = warmStartFrom
    self.hasWarmStart = hasWarmStart
    self.acquisition = acquisition
    self.diagnostics = diagnostics
    self.origin = origin
  }
}

/// A trial of another study.
package struct TrialOrigin: Hashable, Sendable, Codable {
  /// Name of that study.
  package var study: String
  /// Its identifier, so that two studies of one name are never mixed up.
  package var identifier: String
  /// Number of the trial there.
  package var trial: Int
  /// Where that trial's configuration came from.
  package var source: String

  package init(study: String, identifier: String, trial: Int, source: String) {
    self.study = study
    self.identifier = identifier
    self.trial = trial
    self.source = source
  }
}
