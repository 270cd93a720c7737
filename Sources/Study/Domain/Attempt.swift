/// The fencing token of an attempt: unique and growing over the whole study, never reused.
///
/// A message about an attempt is obeyed only while its token is the one of the trial's live attempt.
public struct AttemptToken: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// The number; 1 is the first attempt of the study.
  public let rawValue: Int

  public init(_ rawValue: Int) { self.rawValue = rawValue }

  public init(from decoder: any Decoder) throws {
    rawValue = try decoder.singleValueContainer().decode(Int.self)
  }

  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  public var description: String { String(rawValue) }
}

/// Who runs an attempt.
public struct WorkerIdentity: Hashable, Sendable, Codable {
  /// Name that survives restarts, for example `host/0`.
  public var name: String
  /// Changes with every start of the process.
  public var incarnation: String
  /// Host it runs on.
  public var host: String?
  /// Device in the form `cpu` or `cuda:0`.
  public var device: String?
  /// Memory of the device in bytes.
  public var deviceBytes: Int64?
  /// Fingerprint of the key that its connection proved; nil where connections need none.
  public var key: String?

  public init(
    name: String, incarnation: String, host: String? = nil, device: String? = nil, deviceBytes: Int64? = nil,
    key: String? = nil
  ) {
    self.name = name
    self.incarnation = incarnation
    self.host = host
    self.device = device
    self.deviceBytes = deviceBytes
    self.key = key
  }

  /// Whether an attempt of this worker may be spoken for by `other`: the same name and, where both are known, the same
  /// key.
  ///
  /// A name alone proves nothing.
  public func isSameOwner(as other: WorkerIdentity) -> Bool {
    name == other.name && (key == nil || other.key == nil || key == other.key)
  }
}

/// Where an attempt stands.
///
///     leased → started → succeeded | failed | released | expired | interrupted
///     leased → released | expired | interrupted
///     leased | started → cancelled (the user took the trial out)
///     expired | interrupted → started (its worker came back before anyone else took the trial)
///     expired | interrupted | released → succeeded (its result came late and the trial was still open)
///     expired | interrupted | released | cancelled → superseded
public enum AttemptState: String, Hashable, Sendable, Codable, CaseIterable {
  /// Promised to a worker that has not said yet that it began.
  case leased
  /// The worker said that it began.
  case started
  /// Its result is the trial's.
  case succeeded
  /// It failed; see the failure record.
  case failed
  /// Given back, for example because of preemption; not counted.
  case released
  /// The worker was not heard of for longer than the lease.
  case expired
  /// The coordinator itself was away, or the worker was replaced by a new incarnation; not counted.
  case interrupted
  /// The user took the trial out while it ran.
  case cancelled
  /// A result or failure came after a newer attempt had begun; kept, but not the trial's.
  case superseded

  /// Holds the trial's lease.
  public var isLive: Bool { self == .leased || self == .started }
}

/// One execution of a trial, under a lease.
public struct Attempt: Hashable, Sendable, Codable {
  /// Fencing token.
  public var token: AttemptToken
  /// Number of the trial.
  public var trial: Int
  /// Running number within the trial, from 1.
  public var ordinal: Int
  /// Who runs it.
  public var worker: WorkerIdentity
  /// Where it stands.
  public var state: AttemptState
  /// Length of the lease in seconds of the coordinator's monotonic clock since the last sign of life.
  public var leaseSeconds: Double
  /// Wall-clock times in seconds since 1970, for people only; nothing is decided by them.
  public var leasedTime: Double
  public var startedTime: Double?
  public var endedTime: Double?
  /// Whether it counts towards the cap of started attempts.
  public var isCounted: Bool
  /// What it measured, also when superseded.
  public var result: TrialResult?
  /// Why it failed.
  public var failure: FailureRecord?
  /// Whether a worker refused or repeated this attempt's outcome with a different payload (kept in the event log).
  public var hasConflict: Bool

  public init(
    token: AttemptToken, trial: Int, ordinal: Int, worker: WorkerIdentity, state: AttemptState = .leased,
    leaseSeconds: Double, leasedTime: Double
  ) {
    self.token = token
    self.trial = trial
    self.ordinal = ordinal
    self.worker = worker
    self.state = state
    self.leaseSeconds = leaseSeconds
    self.leasedTime = leasedTime
    isCounted = false
    hasConflict = false
  }
}
