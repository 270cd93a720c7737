import BayesianOptimization

/// Where a trial's configuration came from, complete enough to compute the proposal again.
public struct Provenance: Hashable, Sendable, Codable {
  /// `initial`, `nehvi`, `sobol` …; `anchor` and `attached` for trials that no sampler proposed.
  public var source: String
  /// Running number of the proposal, from 0; nil where no sampler proposed.
  public var proposalIndex: Int?
  /// Fallbacks that were taken, in order; empty if none.
  public var fallbacks: [String]
  /// Number of the last event the sampler had seen.
  public var eventNumber: Int
  /// Numbers of the trials that were pending, ascending.
  public var pending: [Int]
  /// Number of the trial whose committed warm start was used; nil for a cold start.
  public var warmStartFrom: Int?
  /// Whether a warm start was committed with this proposal.
  public var hasWarmStart: Bool
  /// Value of the acquisition function.
  public var acquisition: Double?
  /// What the sampler reports about itself.
  public var diagnostics: [String: Double]

  public init(
    source: String, proposalIndex: Int? = nil, fallbacks: [String] = [], eventNumber: Int, pending: [Int] = [],
    warmStartFrom: Int? = nil, hasWarmStart: Bool = false, acquisition: Double? = nil,
    diagnostics: [String: Double] = [:]
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
  }
}
