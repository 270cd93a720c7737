import Study

/// The outcome of a finished attempt.
package struct ResultReport: Sendable, Equatable {
  package var attempt: AttemptToken
  /// What was measured; a number that is not finite travels as null and is read as not-a-number.
  package var result: TrialResult

  package init(attempt: AttemptToken, result: TrialResult) {
    self.attempt = attempt
    self.result = result
  }
}

/// The failure of an attempt.
package struct FailureReport: Sendable, Equatable {
  package var attempt: AttemptToken
  /// Whether the attempt had started: only then it counts.
  package var started: Bool
  package var record: FailureRecord

  package init(attempt: AttemptToken, started: Bool, record: FailureRecord) {
    self.attempt = attempt
    self.started = started
    self.record = record
  }
}

/// An attempt given back without outcome; it does not count and runs again.
package struct ReleaseReport: Sendable, Equatable {
  /// Reasons a program may act on.
  package enum Reason: String, Sendable, CaseIterable {
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
  package var attempt: AttemptToken
  package var reason: Reason
  /// Step of the worker-local checkpoint from which the same worker can go on; nil = none.
  package var checkpointStep: Int?

  package init(attempt: AttemptToken, reason: Reason, checkpointStep: Int? = nil) {
    self.attempt = attempt
    self.reason = reason
    self.checkpointStep = checkpointStep
  }
}

/// An outcome that the worker keeps until the coordinator has acknowledged it.
package enum Submission: Sendable, Equatable {
  case result(ResultReport)
  case failure(FailureReport)
  case released(ReleaseReport)

  /// The attempt's fencing token.
  package var attempt: AttemptToken {
    switch self {
    case .result(let report): report.attempt
    case .failure(let report): report.attempt
    case .released(let report): report.attempt
    }
  }

  /// The message that carries it.
  package var message: Message {
    switch self {
    case .result(let report): .result(report)
    case .failure(let report): .failure(report)
    case .released(let report): .released(report)
    }
  }

  /// The outcome that `message` carries; nil for every other type.
  package init?(_ message: Message) {
    switch message {
    case .result(let report): self = .result(report)
    case .failure(let report): self = .failure(report)
    case .released(let report): self = .released(report)
    default: return nil
    }
  }
}

/// A piece of an artifact.
package struct ArtifactChunk: Sendable, Equatable {
  /// Digest of the whole artifact: its address.
  package var sha256: String
  /// Length of the whole artifact.
  package var totalBytes: Int
  /// Where this piece begins.
  package var offset: Int
  /// Digest of this piece.
  package var chunkSHA256: String
  /// The piece, at most 128 KiB; travels as the raw frame behind the JSON frame.
  package var bytes: [UInt8]

  package init(sha256: String, totalBytes: Int, offset: Int, chunkSHA256: String, bytes: [UInt8]) {
    self.sha256 = sha256
    self.totalBytes = totalBytes
    self.offset = offset
    self.chunkSHA256 = chunkSHA256
    self.bytes = bytes
  }
}
