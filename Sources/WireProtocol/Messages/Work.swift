import BayesianOptimization
import Study

/// Names one attempt of one trial.
package struct AttemptReference: Sendable, Equatable, Hashable {
  /// The attempt's fencing token.
  package var attempt: AttemptToken
  package init(attempt: AttemptToken) { self.attempt = attempt }
}

/// A trial to execute under a lease.
package struct Assignment: Sendable, Equatable {
  /// The attempt's fencing token: the same token is the same work, however often it arrives.
  package var attempt: AttemptToken
  /// The trial's number in the study.
  package var trial: Int
  /// The configuration θ to evaluate.
  package var configuration: Configuration
  /// Seed of the trial's random streams; below 2^53.
  package var seed: UInt64
  /// How long the lease lasts without heartbeat, in milliseconds.
  package var leaseMilliseconds: Int

  package init(
    attempt: AttemptToken, trial: Int, configuration: Configuration, seed: UInt64, leaseMilliseconds: Int
  ) {
    self.attempt = attempt
    self.trial = trial
    self.configuration = configuration
    self.seed = seed
    self.leaseMilliseconds = leaseMilliseconds
  }
}

/// How far an attempt has come.
package struct AttemptProgress: Sendable, Equatable {
  /// Steps done, of `total` (0 = not known).
  package var step: Int
  package var total: Int
  /// What is being done, such as `train`.
  package var phase: String

  package init(step: Int, total: Int, phase: String) {
    self.step = step
    self.total = total
    self.phase = phase
  }
}

/// What a worker is doing.
package enum WorkerPhase: String, Sendable, CaseIterable {
  /// Loading the base and the data.
  case preparing
  /// Waiting for a trial.
  case idle
  /// Executing an attempt.
  case running
  /// Finishing; takes no more trials.
  case draining
}

/// How a worker's device stands, for people.
package struct DeviceStatus: Sendable, Equatable, Hashable, Codable {
  /// Its maker's name for it, such as `NVIDIA H200`.
  package var name: String
  /// All of its memory in bytes, and what is in use by anybody (nil = not known).
  package var memoryBytes: Int64
  package var memoryUsedBytes: Int64?
  /// Share of the last second or so in which it computed, in percent; nil = not known.
  package var utilizationPercent: Int?

  package init(name: String, memoryBytes: Int64, memoryUsedBytes: Int64? = nil, utilizationPercent: Int? = nil) {
    self.name = name
    self.memoryBytes = memoryBytes
    self.memoryUsedBytes = memoryUsedBytes
    self.utilizationPercent = utilizationPercent
  }
}

/// A sign of life.
package struct Heartbeat: Sendable, Equatable {
  package var phase: WorkerPhase
  /// Token of the attempt being executed, whose lease is renewed.
  package var attempt: AttemptToken?
  package var progress: AttemptProgress?
  /// How the device stands; nil where there is nothing to say (version 2).
  package var device: DeviceStatus?

  package init(
    phase: WorkerPhase, attempt: AttemptToken? = nil, progress: AttemptProgress? = nil, device: DeviceStatus? = nil
  ) {
    self.phase = phase
    self.attempt = attempt
    self.progress = progress
    self.device = device
  }
}

/// Why an attempt is to stop.
package struct Cancellation: Sendable, Equatable {
  /// Reasons a program may act on.
  package enum Reason: String, Sendable, CaseIterable {
    /// The lease was given to another worker.
    case superseded
    /// A person abandoned the trial.
    case abandoned
    /// The study is paused or ending.
    case stopped
    /// Intermediate reports show that the trial is hopeless.
    case hopeless
  }
  package var attempt: AttemptToken
  package var reason: Reason

  package init(attempt: AttemptToken, reason: Reason) {
    self.attempt = attempt
    self.reason = reason
  }
}

/// Asks a worker to leave.
package struct Drain: Sendable, Equatable {
  /// Whether to release the present trial instead of finishing it.
  package var immediately: Bool
  package var reason: String

  package init(immediately: Bool, reason: String) {
    self.immediately = immediately
    self.reason = reason
  }
}

/// A short text for people.
package struct Notice: Sendable, Equatable {
  package var reason: String
  package init(reason: String) { self.reason = reason }
}

/// Confirms a message.
package struct Acknowledgement: Sendable, Equatable {
  /// What became of the message.
  package enum Verdict: String, Sendable, CaseIterable {
    /// Received (heartbeat, ready, chunk …), or committed as the trial's outcome.
    case accepted
    /// The same outcome had been committed before.
    case duplicate
    /// Kept for the record; another attempt's outcome counts.
    case superseded
    /// A different outcome of this attempt is already committed, or the attempt is unknown; recorded, not used.
    case conflict
  }
  /// The id of the confirmed message.
  package var of: Int64
  package var verdict: Verdict

  package init(of id: Int64, verdict: Verdict) {
    self.of = id
    self.verdict = verdict
  }
}
