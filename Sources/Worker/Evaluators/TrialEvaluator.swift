import BayesianOptimization
import Foundation
import Study
import Synchronization
import WireProtocol

/// What a trainer process runs for a trial: the one place where a configuration becomes numbers.
///
/// One evaluator lives as long as its process. It is called from one thread only (the process's main thread).
package protocol TrialEvaluator: AnyObject {
  /// Loads what every trial needs (base, data) and keeps it. Called once, before any trial.
  ///
  /// - Throws: anything; the message reaches the operator. ``EvaluationError`` `unavailable` says that trying again is
  ///   of no use (wrong path, broken file): the worker stops.
  func prepare(_ monitor: EvaluationMonitor) throws

  /// Evaluates one trial.
  ///
  /// - Throws: ``EvaluationError``, or any other error, which counts as a defect. When `monitor` says that the trial is
  ///   cancelled, throw ``EvaluationError`` `cancelled` at the next step.
  func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult

  /// Bytes in use now on a device with memory of its own. Default 0. They count to the trainer's baseline: what a trial
  /// leaves behind there shows.
  var deviceBytes: Int { get }
}

extension TrialEvaluator {
  package var deviceBytes: Int { 0 }
}

/// One trial to evaluate.
package struct EvaluationRequest: Sendable, Equatable {
  /// The configuration θ.
  package var configuration: Configuration
  /// Seed of everything random in the trial.
  package var seed: UInt64
  /// Number of the trial in its study.
  package var trial: Int
  /// Fencing token of the attempt.
  package var attempt: AttemptToken
  /// A folder of this worker for this trial (checkpoints, the adapter); kept when the trial is given back, so that the
  /// same worker can go on from it.
  package var scratch: URL

  package init(configuration: Configuration, seed: UInt64, trial: Int, attempt: AttemptToken, scratch: URL) {
    self.configuration = configuration
    self.seed = seed
    self.trial = trial
    self.attempt = attempt
    self.scratch = scratch
  }
}

/// What an evaluation came to: the measurements that the study keeps, and beside them what only its worker needs.
package struct EvaluationResult: Sendable, Equatable {
  /// The measurements, without the files, which the worker hashes and adds.
  ///
  /// An objective that is not finite makes the trial `diverged`.
  package var measured: TrialResult
  /// Files to keep, by plain name (`adapter_model.safetensors`).
  package var artifacts: [String: URL]
  /// What was left out or cut on the way, for the worker's log.
  package var notes: [String]

  package init(_ measured: TrialResult, artifacts: [String: URL] = [:], notes: [String] = []) {
    self.measured = measured
    self.artifacts = artifacts
    self.notes = notes
  }

  /// Without the standard errors and further measurements that are not finite, which no study can keep; they are named
  /// in the notes.
  func withoutUselessValues() -> EvaluationResult {
    let (clean, dropped) = measured.withoutUselessValues()
    guard !dropped.isEmpty else { return self }
    var result = EvaluationResult(clean, artifacts: artifacts, notes: notes)
    result.notes.append("left out, not finite: \(dropped.joined(separator: ", "))")
    result.measured.metrics = (clean.metrics ?? [:]).merging(["valuesLeftOut": Double(dropped.count)]) { $0 + $1 }
    return result
  }
}

/// How an evaluation can end without a result.
package struct EvaluationError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The kind of end.
  package enum Kind: Sendable, Equatable {
    /// The trial was cancelled or preempted; `checkpointStep` where it can go on.
    case cancelled(checkpointStep: Int?)
    /// It ended in failure of this class.
    case failed(FailureClass)
    /// The evaluator cannot work at all: the worker is to stop.
    case unavailable
  }
  package var kind: Kind
  /// What happened.
  package var message: String
  /// What the operator can do.
  package var nextStep: String?
  /// The last lines that a program of the user's wrote to standard error, at most three.
  package var lastWords: [String]

  package init(_ kind: Kind, _ message: String, nextStep: String? = nil, lastWords: [String] = []) {
    self.kind = kind
    self.message = message
    self.nextStep = nextStep
    self.lastWords = lastWords
  }

  /// The trial was cancelled at a step boundary.
  package static func cancelled(checkpointStep: Int? = nil) -> EvaluationError {
    EvaluationError(.cancelled(checkpointStep: checkpointStep), "cancelled")
  }

  /// The evaluation ended itself without a result, or could not be begun now: the trial is given back unharmed and runs
  /// again.
  package static func givenBack(_ reason: String) -> EvaluationError {
    EvaluationError(.cancelled(checkpointStep: nil), reason)
  }

  /// Memory does not suffice for this configuration.
  package static func outOfMemory(_ message: String) -> EvaluationError {
    EvaluationError(
      .failed(.outOfMemory), message, nextStep: "use a smaller rank or count, or a device with more memory")
  }

  /// A loss or another value became NaN or infinite.
  package static func diverged(_ message: String) -> EvaluationError {
    EvaluationError(.failed(.diverged), message, nextStep: "lower training.learningRate if many trials diverge")
  }

  /// The evaluator cannot work with its settings or files.
  package static func unavailable(_ message: String, nextStep: String? = nil) -> EvaluationError {
    EvaluationError(.unavailable, message, nextStep: nextStep)
  }

  package var description: String { nextStep.map { "\(message); \($0)" } ?? message }
}

/// An evaluation's line to its worker: progress out, cancellation in.
///
/// Every call is a sign of life for the watchdog.
package final class EvaluationMonitor: Sendable {
  private let cancelled = Atomic(false)
  private let onProgress: @Sendable (AttemptProgress) -> Void
  private let onReport: @Sendable (Int, [String: Double]) -> Void

  /// - Parameters:
  ///   - onProgress: takes the progress.
  ///   - onReport: takes a step and its values.
  package init(
    onProgress: @escaping @Sendable (AttemptProgress) -> Void = { _ in },
    onReport: @escaping @Sendable (Int, [String: Double]) -> Void = { _, _ in }
  ) {
    self.onProgress = onProgress
    self.onReport = onReport
  }

  /// Says that `step` of `total` steps of `phase` (`train`, `evaluate` …) are done.
  package func progress(step: Int, total: Int, phase: String) {
    onProgress(AttemptProgress(step: max(0, step), total: max(0, total), phase: phase))
  }

  /// Reports a vector of intermediate values.
  package func report(step: Int, values: [String: Double]) { onReport(step, values) }

  /// Whether the trial should end at the next step.
  package var isCancelled: Bool { cancelled.load(ordering: .relaxed) }

  /// Throws ``EvaluationError`` `cancelled` once the trial is cancelled.
  package func checkCancelled() throws {
    if isCancelled { throw EvaluationError.cancelled() }
  }

  /// Asks the evaluation to end.
  package func cancel() { cancelled.store(true, ordering: .relaxed) }
}
