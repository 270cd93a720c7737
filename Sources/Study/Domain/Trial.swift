import BayesianOptimization

/// Why a trial exists.
package enum TrialKind: String, Hashable, Sendable, Codable, CaseIterable {
  /// The un-injected base, measured once, outside the budget; databases and files of all versions call it `anchor`.
  case base = "anchor"
  /// Proposed by the sampler; counts towards the budget.
  case search
  /// Given by the user (`ask`, `trial attach`); counts towards the budget.
  case attached
}

/// Where a trial stands.
///
///     queued ⇄ running → completed | failed | diverged | infeasible
///     queued | running → abandoned;  failed | diverged | infeasible | abandoned → queued (by `trial retry`)
package enum TrialState: String, Hashable, Sendable, Codable, CaseIterable {
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
  package var isTerminal: Bool { self != .queued && self != .running }

  /// Uses up one unit of the budget: everything that ended, except what the user took out.
  package var countsTowardsBudget: Bool { isTerminal && self != .abandoned }
}

/// One configuration to evaluate.
package struct Trial: Hashable, Sendable, Codable {
  /// Number in the study: gapless, from 0.
  package var number: Int
  /// Why it exists.
  package var kind: TrialKind
  /// What to evaluate.
  package var configuration: Configuration
  /// Canonical key of the configuration; no two trials of a study share one.
  package var configurationKey: String
  /// Seed of everything random in its training; below 2^53, so that every JSON reader keeps it exact.
  package var seed: UInt64
  /// Where it came from.
  package var provenance: Provenance
  /// Where it stands.
  package var state: TrialState
  /// Its executions, oldest first.
  package var attempts: [Attempt]
  /// The accepted result.
  package var result: TrialResult?
  /// The failure that decided the state, for trials that ended without a result.
  package var failure: FailureRecord?
  /// Number of the event that ended it: the order in which the sampler sees the observations.
  package var endedEvent: Int?
  /// Only workers with more device memory than this (bytes) may take it: set after an out-of-memory failure.
  package var needsMoreThanBytes: Int64?
  /// Started attempts that were used up before the last `trial retry`.
  package var forgivenAttempts: Int
  /// Hypervolume of the completed trials up to and including this one, once the reference point is fixed.
  package var hypervolume: Double?

  package init(
    number: Int, kind: TrialKind, configuration: Configuration, configurationKey: String, seed: UInt64,
    provenance: Provenance
  ) {
    self.number = number
    self.kind = kind
    self.configuration = configuration
    self.configurationKey = configurationKey
    self.seed = seed
    self.provenance = provenance
    state = .queued
    attempts = []
    forgivenAttempts = 0
  }

  /// Stored names; the configuration key has always been `key`.
  private enum CodingKeys: String, CodingKey {
    case number, kind, configuration, seed, provenance, state, attempts, result, failure, endedEvent
    case needsMoreThanBytes, forgivenAttempts, hypervolume
    case configurationKey = "key"
  }

  /// Whether it is one of the trials that the search is about: all but the un-injected base, which is a reference.
  package var isInSearch: Bool { kind != .base }

  /// The attempt that holds the lease.
  package var liveAttempt: Attempt? { attempts.last.flatMap { $0.state.isLive ? $0 : nil } }

  /// Attempts that count towards the cap.
  package var countedAttempts: Int { attempts.count { $0.isCounted } - forgivenAttempts }
}
