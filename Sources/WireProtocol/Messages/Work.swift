import BayesianOptimization
import Study

/// Names one attempt of one trial.
public struct AttemptReference: Sendable, Equatable, Hashable {
  /// The attempt's fencing token.
  public var attempt: AttemptToken
  public init(attempt: AttemptToken) { self.attempt = attempt }
}

/// A trial to execute under a lease.
public struct Assignment: Sendable, Equatable {
  /// The attempt's fencing token: the same token is the same work, however often it arrives.
  public var attempt: AttemptToken
  /// The trial's number in the study.
  public var trial: Int
  /// The configuration θ to evaluate.
  public var configuration: Configuration
  /// Seed of the trial's random streams; below 2^53.
  public var seed: UInt64
  /// How long the lease lasts without heartbeat, in milliseconds.
  public var leaseMilliseconds: Int

  public init(
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
public struct AttemptProgress: Sendable, Equatable {
  /// Steps done, of `total` (0 = not known).
  public var step: Int
  public var total: Int
  /// What is being done, such as `train`.
  public var phase: String

  public init(step: Int, total: Int, phase: String) {
    self.step = step
    self.total = total
    self.phase = phase
  }
}

/// What a worker is doing.
public enum WorkerPhase: String, Sendable, CaseIterable {
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
public struct DeviceStatus: Sendable, Equatable, Hashable, Codable {
  /// Its maker's name for it, such as `NVIDIA H200`.
  public var name: String
  /// All of its memory in bytes, and what is in use by anybody (nil = not known).
  public var memoryBytes: Int64
  public var memoryUsedBytes: Int64?
  /// Share of the last second or so in which it computed, in percent; nil = not known.
  public var utilizationPercent: Int?

  public init(name: String, memoryBytes: Int64, memoryUsedBytes: Int64? = nil, utilizationPercent: Int? = nil) {
    self.name = name
    self.memoryBytes = memoryBytes
    self.memoryUsedBytes = memoryUsedBytes
    self.utilizationPercent = utilizationPercent
  }
}

/// A sign of life.
public struct Heartbeat: Sendable, Equatable {
  public var phase: WorkerPhase
  /// Token of the attempt being executed, whose lease is renewed.
  public var attempt: AttemptToken?
  public var progress: AttemptProgress?
  /// How the device stands; nil where there is nothing to say (version 2).
  public var device: DeviceStatus?

  public init(
    phase: WorkerPhase, attempt: AttemptToken? = nil, progress: AttemptProgress? = nil, device: DeviceStatus? = nil
  ) {
    self.phase = phase
    self.attempt = attempt
    self.progress = progress
    self.device = device
  }
}

/// Why an attempt is to stop.
public struct Cancellation: Sendable, Equatable {
  /// Reasons a program may act on.
  public enum Reason: String, Sendable, CaseIterable {
    /// The lease was given to another worker.
    case superseded
    /// A person abandoned the trial.
    case abandoned
    /// The study is paused or ending.
    case stopped
    /// Intermediate reports show that the trial is hopeless.
    case hopeless
  }
  public var attempt: AttemptToken
  public var reason: Reason

  public init(attempt: AttemptToken, reason: Reason) {
    self.attempt = attempt
    self.reason = reason
  }
}

/// Asks a worker to leave.
public struct Drain: Sendable, Equatable {
  /// Whether to release the present trial instead of finishing it.
  public var immediately: Bool
  public var reason: String

  public init(immediately: Bool, reason: String) {
    self.immediately = immediately
    self.reason = reason
  }
}

/// A short text for people.
public struct Notice: Sendable, Equatable {
  public var reason: String
  public init(reason: String) { self.reason = reason }
}

/// Confirms a message.
public struct Acknowledgement: Sendable, Equatable {
  /// What became of the message.
  public enum Verdict: String, Sendable, CaseIterable {
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
  public var of: Int64
  public var verdict: Verdict

  public init(of id: Int64, verdict: Verdict) {
    self.of = id
    self.verdict = verdict
  }
}
