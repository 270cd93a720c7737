import Foundation

/// A sampler answers "which configuration next?" (ask); observations come in with the next request (tell).
///
/// Contract, checked by one conformance suite for every sampler:
/// - `propose` is a pure function of the sampler's own settings and the request: same request, same answer, byte for
///   byte, whatever the number of threads and however often the process was restarted.
/// - The answer is valid, canonical, not NULL, and its key is not among the observations or the pending configurations.
/// - It always answers: trouble inside lowers the quality of the proposal (recorded in `fallbacks`), never its existence.
/// - `.spaceExhausted` means that every valid key is observed or pending.
public protocol Sampler: Sendable {
  func propose(_ request: ProposalRequest) -> ProposalOutcome
  /// Up to `count` proposals in a row, where that takes hardly longer than one; at least one.
  ///
  /// Each is what `propose` answers to the request after it: the next index, and the configuration before it pending.
  func proposals(_ request: ProposalRequest, count: Int) -> [ProposalOutcome]
}

extension Sampler {
  /// One proposal: what a sampler answers whose proposals take long.
  public func proposals(_ request: ProposalRequest, count: Int) -> [ProposalOutcome] { [propose(request)] }
}

/// Everything a proposal depends on.
public struct ProposalRequest: Sendable {
  /// The study's seed.
  public var seed: UInt64
  /// Running number of the proposal in its study, from 0: keys the random streams and the initial design.
  public var index: Int
  /// Finished observations in the order they were committed.
  public var observations: [Observation]
  /// Configurations handed out and not yet finished, in the order they were handed out.
  public var pending: [Configuration]
  /// Opaque state of an earlier proposal of the same study (`Proposal.warmStart`), or nil for a cold start.
  public var warmStart: Data?

  /// A request; cold and without anything pending unless given.
  public init(
    seed: UInt64, index: Int, observations: [Observation], pending: [Configuration] = [], warmStart: Data? = nil
  ) {
    self.seed = seed
    self.index = index
    self.observations = observations
    self.pending = pending
    self.warmStart = warmStart
  }
}

/// The answer of a sampler.
public enum ProposalOutcome: Sendable, Equatable {
  case proposal(Proposal)
  /// Every valid configuration is observed or pending: a normal end.
  case spaceExhausted
}

/// A proposed configuration and how it came about.
public struct Proposal: Sendable, Equatable {
  /// Canonical, valid, never seen before in this study.
  public var configuration: Configuration
  /// What made it: `initial`, `nehvi`, `ei`, `sobol`, `random`, `nsga2`.
  public var source: String
  /// Rungs of the fallback ladder that were taken, in order; empty when all went as planned.
  public var fallbacks: [String]
  /// Log acquisition value of the configuration, where there is one.
  public var acquisition: Double?
  /// State for the next proposal's warm start; commit it together with the proposal.
  public var warmStart: Data?
  /// Numbers worth keeping: R-hat, effective sample sizes, divergences, baseline size, evaluations.
  public var diagnostics: [String: Double]

  /// A proposal.
  public init(
    configuration: Configuration, source: String, fallbacks: [String] = [], acquisition: Double? = nil,
    warmStart: Data? = nil, diagnostics: [String: Double] = [:]
  ) {
    self.configuration = configuration
    self.source = source
    self.fallbacks = fallbacks
    self.acquisition = acquisition
    self.warmStart = warmStart
    self.diagnostics = diagnostics
  }
}
