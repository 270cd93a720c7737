import BayesianOptimization

/// Why a trial exists.
public enum TrialKind: String, Hashable, Sendable, Codable, CaseIterable {
  /// The un-injected base, measured once, outside the budget.
  case anchor
  /// Proposed by the sampler; counts towards the budget.
  case search
  /// Given by the user (`ask`, `trial attach`); counts towards the budget.
  case attached
}

/// Where a trial stands.
///
///     queued ⇄ running → completed | failed | diverged | infeasible
///     queued | running → abandoned;  failed | diverged | infeasible | abandoned → queued (by `trial retry`)
public enum TrialState: String, Hashable, Sendable, Codable, CaseIterable {
  /// Waits for a worker.
  case queued
  /// Has a live attempt.
  case running
  /// Has a result.
  case completed
  /// Ended without a result after its retries.
  case failed
  /// Ended because an objective became NaN or infinite.
  case diverged
  /// Ended because it does not fit into the memory of any device at hand.
  case infeasible
  /// Taken out by the user; not counted.
  case abandoned

  /// Nothing more happens to it by itself.
  public var isTerminal: Bool { self != .queued && self != .running }

  /// Uses up one unit of the budget: everything that ended, except what the user took out.
  public var countsTowardsBudget: Bool { isTerminal && self != .abandoned }
}

/// One configuration to evaluate.
public struct Trial: Hashable, Sendable, Codable {
  /// Number in the study: gapless, from 0.
  public var number: Int
  /// Why it exists.
  public var kind: TrialKind
  /// What to evaluate.
  public var configuration: Configuration
  /// Canonical key of the configuration; no two trials of a study share one.
  public var key: String
  /// Seed of everything random in its training; below 2^53, so that every JSON reader keeps it exact.
  public var seed: UInt64
  /// Where it came from.
  public var provenance: Provenance
  /// Where it stands.
  public var state: TrialState
  /// Its executions, oldest first.
  public var attempts: [Attempt]
  /// The accepted result.
  public var result: TrialResult?
  /// The failure that decided the state, for trials that ended without a result.
  public var failure: FailureRecord?
  /// Number of the event that ended it: the order in which the sampler sees the observations.
  public var endedEvent: Int?
  /// Only workers with more device memory than this (bytes) may take it: set after an out-of-memory failure.
  public var needsMoreThanBytes: Int64?
  /// Started attempts that were used up before the last `trial retry`.
  public var forgivenAttempts: Int
  /// Hypervolume of the completed trials up to and including this one, once the reference point is fixed.
  public var hypervolume: Double?

  public init(
    number: Int, kind: TrialKind, configuration: Configuration, key: String, seed: UInt64, provenance: Provenance
  ) {
    self.number = number
    self.kind = kind
    self.configuration = configuration
    self.key = key
    self.seed = seed
    self.provenance = provenance
    state = .queued
    attempts = []
    forgivenAttempts = 0
  }

  /// The attempt that holds the lease.
  public var liveAttempt: Attempt? { attempts.last.flatMap { $0.state.isLive ? $0 : nil } }

  /// Attempts that count towards the cap.
  public var countedAttempts: Int { attempts.count { $0.isCounted } - forgivenAttempts }
}
