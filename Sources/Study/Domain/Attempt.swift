/// The fencing token of an attempt: unique and growing over the whole study, never reused.
///
/// A message about an attempt is obeyed only while its token is the one of the trial's live attempt.
package struct AttemptToken: Hashable, Sendable, Codable, Comparable, CustomStringConvertible {
  /// The number; 1 is the first attempt of the study.
  package let rawValue: Int

  package init(_ rawValue: Int) { self.rawValue = rawValue }

  package init(from decoder: any Decoder) throws {
    rawValue = try decoder.singleValueContainer().decode(Int.self)
  }

  package func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(rawValue)
  }

  package static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  package var description: String { String(rawValue) }
}

/// Who runs an attempt.
package struct WorkerIdentity: Hashable, Sendable, Codable {
  /// Name that survives restarts, for example `host/0`.
  package var name: String
  /// Changes with every start of the process.
  package var incarnation: String
  /// Host it runs on.
  package var host: String?
  /// Device in the form `cpu` or `cuda:0`.
  package var device: String?
  /// Memory of the device in bytes.
  package var deviceBytes: Int64?
  /// Fingerprint of the key that its connection proved; nil where connections need none.
  package var key: String?

  package init(
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
  package func isSameOwner(as other: WorkerIdentity) -> Bool {
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
package enum AttemptState: String, Hashable, Sendable, Codable, CaseIterable {
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
  package var isLive: Bool { self == .leased || self == .started }
}

/// One execution of a trial, under a lease.
package struct Attempt: Hashable, Sendable, Codable {
  /// Fencing token.
  package var token: AttemptToken
  /// Number of the trial.
  package var trial: Int
  /// Running number within the trial, from 1.
  package var ordinal: Int
  /// Who runs it.
  package var worker: WorkerIdentity
  /// Where it stands.
  package var state: AttemptState
  /// Length of the lease in seconds of the coordinator's monotonic clock since the last sign of life.
  package var leaseSeconds: Double
  /// Wall-clock times in seconds since 1970, for people only; nothing is decided by them.
  package var leasedTime: Double
  package var startedTime: Double?
  package var endedTime: Double?
  /// Whether it counts towards the cap of started attempts.
  package var isCounted: Bool
  /// What it measured, also when superseded.
  package var result: TrialResult?
  /// Why it failed.
  package var failure: FailureRecord?
  /// Whether a worker refused or repeated this attempt's outcome with a different payload (kept in the event log).
  package var hasConflict: Bool

  package init(
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
