import Study

/// The outcome of a finished attempt.
public struct ResultReport: Sendable, Equatable {
  public var attempt: AttemptToken
  /// What was measured; a number that is not finite travels as null and is read as not-a-number.
  public var result: TrialResult

  public init(attempt: AttemptToken, result: TrialResult) {
    self.attempt = attempt
    self.result = result
  }
}

/// The failure of an attempt.
public struct FailureReport: Sendable, Equatable {
  public var attempt: AttemptToken
  /// Whether the attempt had started: only then it counts.
  public var started: Bool
  public var record: FailureRecord

  public init(attempt: AttemptToken, started: Bool, record: FailureRecord) {
    self.attempt = attempt
    self.started = started
    self.record = record
  }
}

/// An attempt given back without outcome; it does not count and runs again.
public struct ReleaseReport: Sendable, Equatable {
  /// Reasons a program may act on.
  public enum Reason: String, Sendable, CaseIterable {
    /// SIGTERM, SIGINT, SIGUSR1 or exit code 75: the machine is wanted elsewhere.
    case preempted
    /// The coordinator cancelled the attempt.
    case cancelled
    /// The coordinator asked the worker to leave at once.
    case drained
    /// The worker already executes another attempt.
    case busy
    /// The worker was restarted and does not hold this attempt any more.
    case restarted
  }
  public var attempt: AttemptToken
  public var reason: Reason
  /// Step of the worker-local checkpoint from which the same worker can go on; nil = none.
  public var checkpointStep: Int?

  public init(attempt: AttemptToken, reason: Reason, checkpointStep: Int? = nil) {
    self.attempt = attempt
    self.reason = reason
    self.checkpointStep = checkpointStep
  }
}

/// An outcome that the worker keeps until the coordinator has acknowledged it.
public enum Submission: Sendable, Equatable {
  case result(ResultReport)
  case failure(FailureReport)
  case released(ReleaseReport)

  /// The attempt's fencing token.
  public var attempt: AttemptToken {
    switch self {
    case .result(let report): report.attempt
    case .failure(let report): report.attempt
    case .released(let report): report.attempt
    }
  }

  /// The message that carries it.
  public var message: Message {
    switch self {
    case .result(let report): .result(report)
    case .failure(let report): .failure(report)
    case .released(let report): .released(report)
    }
  }

  /// The outcome that `message` carries; nil for every other type.
  public init?(_ message: Message) {
    switch message {
    case .result(let report): self = .result(report)
    case .failure(let report): self = .failure(report)
    case .released(let report): self = .released(report)
    default: return nil
    }
  }
}

/// A piece of an artifact.
public struct ArtifactChunk: Sendable, Equatable {
  /// Digest of the whole artifact: its address.
  public var sha256: String
  /// Length of the whole artifact.
  public var totalBytes: Int
  /// Where this piece begins.
  public var offset: Int
  /// Digest of this piece.
  public var chunkSHA256: String
  /// The piece, at most 128 KiB; travels as the raw frame behind the JSON frame.
  public var bytes: [UInt8]

  public init(sha256: String, totalBytes: Int, offset: Int, chunkSHA256: String, bytes: [UInt8]) {
    self.sha256 = sha256
    self.totalBytes = totalBytes
    self.offset = offset
    self.chunkSHA256 = chunkSHA256
    self.bytes = bytes
  }
}
