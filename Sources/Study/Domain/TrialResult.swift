import BayesianOptimization

/// What a finished attempt measured.
package struct TrialResult: Hashable, Sendable, Codable {
  /// Objective values by name, in their own units (scores as fractions in [0, 1]).
  package var objectives: [String: Double]
  /// Standard errors of the objectives, where they are known.
  package var standardErrors: [String: Double]?
  /// Further measurements that are not objectives (seconds, tokens, memory in bytes …).
  package var metrics: [String: Double]?
  /// Files the attempt left, addressed by content.
  package var artifacts: [ArtifactReference]?

  package init(
    objectives: [String: Double], standardErrors: [String: Double]? = nil, metrics: [String: Double]? = nil,
    artifacts: [ArtifactReference]? = nil
  ) {
    self.objectives = objectives
    self.standardErrors = standardErrors
    self.metrics = metrics
    self.artifacts = artifacts
  }

  /// Says which objective is too large to mean anything, in a sentence; nil where all are within bounds.
  package var extremeObjective: String? {
    let largest = Objective.largestMagnitude
    guard let (name, value) = objectives.sorted(by: { $0.key < $1.key }).first(where: { abs($0.value) > largest })
    else { return nil }
    return "\(name) is \(value), beyond the largest objective, \(largest)"
  }

  /// Says which standard error is negative, in a sentence; nil where none is.
  package var negativeStandardError: String? {
    guard let (name, value) = standardErrors?.sorted(by: { $0.key < $1.key }).first(where: { $0.value < 0 }) else {
      return nil
    }
    return "the standard error of \(name) is \(value); it must not be negative"
  }

  /// The result without the metrics and standard errors that are NaN or infinite, and their names, sorted.
  ///
  /// What is no number costs itself, not the objectives beside it.
  package func withoutUselessValues() -> (result: TrialResult, dropped: [String]) {
    var clean = self
    clean.standardErrors = standardErrors?.filter(\.value.isFinite)
    clean.metrics = metrics?.filter(\.value.isFinite)
    let errors = (standardErrors ?? [:]).filter { !$0.value.isFinite }.map { "the standard error of \($0.key)" }
    let others = (metrics ?? [:]).filter { !$0.value.isFinite }.map(\.key)
    return (clean, others.sorted() + errors.sorted())
  }

  /// Names of the values that are NaN or infinite, sorted.
  package var nonFiniteNames: [String] {
    let all = [objectives, standardErrors ?? [:], metrics ?? [:]].flatMap { $0 }
    return Set(all.filter { !$0.value.isFinite }.map(\.key)).sorted()
  }
}

/// A file in the study's artifact folder, addressed by its content.
package struct ArtifactReference: Hashable, Sendable, Codable {
  /// What it is, for example `adapter`.
  package var name: String
  /// Lower-case hexadecimal SHA-256 of the content.
  package var sha256: String
  /// Size in bytes.
  package var bytes: Int64

  package init(name: String, sha256: String, bytes: Int64) {
    self.name = name
    self.sha256 = sha256
    self.bytes = bytes
  }
}

/// Objective-like values measured while an attempt runs: a vector, so that every objective can have its own curve.
package struct IntermediateReport: Hashable, Sendable, Codable {
  /// The attempt that reports.
  package var token: AttemptToken
  /// Number of the trial.
  package var trial: Int
  /// Running number of the step inside the attempt.
  package var step: Int
  /// Values by name.
  package var values: [String: Double]

  package init(token: AttemptToken, trial: Int, step: Int, values: [String: Double]) {
    self.token = token
    self.trial = trial
    self.step = step
    self.values = values
  }
}
