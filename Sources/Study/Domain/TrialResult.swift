/// What a finished attempt measured.
public struct TrialResult: Hashable, Sendable, Codable {
  /// Objective values by name, in their own units (scores as fractions in [0, 1]).
  public var objectives: [String: Double]
  /// Standard errors of the objectives, where they are known.
  public var standardErrors: [String: Double]?
  /// Further measurements that are not objectives (seconds, tokens, memory in bytes …).
  public var metrics: [String: Double]?
  /// Files the attempt left, addressed by content.
  public var artifacts: [ArtifactReference]?

  public init(
    objectives: [String: Double], standardErrors: [String: Double]? = nil, metrics: [String: Double]? = nil,
    artifacts: [ArtifactReference]? = nil
  ) {
    self.objectives = objectives
    self.standardErrors = standardErrors
    self.metrics = metrics
    self.artifacts = artifacts
  }

  /// Names of the values that are NaN or infinite, sorted.
  public var nonFiniteNames: [String] {
    let all = [objectives, standardErrors ?? [:], metrics ?? [:]].flatMap { $0 }
    return Set(all.filter { !$0.value.isFinite }.map(\.key)).sorted()
  }
}

/// A file in the study's artifact folder, addressed by its content.
public struct ArtifactReference: Hashable, Sendable, Codable {
  /// What it is, for example `adapter`.
  public var name: String
  /// Lower-case hexadecimal SHA-256 of the content.
  public var sha256: String
  /// Size in bytes.
  public var bytes: Int64

  public init(name: String, sha256: String, bytes: Int64) {
    self.name = name
    self.sha256 = sha256
    self.bytes = bytes
  }
}

/// Objective-like values measured while an attempt runs: a vector, so that every objective can have its own curve.
public struct IntermediateReport: Hashable, Sendable, Codable {
  /// The attempt that reports.
  public var token: AttemptToken
  /// Number of the trial.
  public var trial: Int
  /// Running number of the step inside the attempt.
  public var step: Int
  /// Values by name.
  public var values: [String: Double]

  public init(token: AttemptToken, trial: Int, step: Int, values: [String: Double]) {
    self.token = token
    self.trial = trial
    self.step = step
    self.values = values
  }
}
