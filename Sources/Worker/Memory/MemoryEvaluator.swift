import BayesianOptimization
import Foundation
import LanguageModel
import Personalization
import Study

/// Trains memory on the study's base and measures it: the evaluator that Engram exists for.
///
/// Base and data are loaded once and stay; a trial swaps its LoRA blocks.
package final class MemoryEvaluator: TrialEvaluator {
  private let configuration: StudyConfiguration
  private let file: URL
  private let backend: () throws -> any Backend
  private let keepsAdapters: Bool
  private var experiment: MemoryExperiment?

  /// - Parameters:
  ///   - configuration: the study's file as read by this worker.
  ///   - file: where it was read from; paths in it are relative to its folder.
  ///   - backend: made once, in the trainer's process.
  package init(configuration: StudyConfiguration, file: URL, backend: @escaping () throws -> any Backend) {
    self.configuration = configuration
    self.file = file
    self.backend = backend
    keepsAdapters = configuration.artifacts.keep != .none
  }

  package func prepare(_ monitor: EvaluationMonitor) throws {
    do {
      let resources = try StudyResources.prepare(
        configuration, file: file, threads: 1,
        step: { step in
          if case .progress(let fraction, _) = step {
            monitor.progress(step: Int(fraction * 1000), total: 1000, phase: "pretraining")
          }
        }, isCancelled: { monitor.isCancelled })
      experiment = try resources.experiment(
        injectTestUserHistory: configuration.data.injectTestUserHistory, backend: try backend())
    } catch let error as DatasetError {
      throw EvaluationError.unavailable(error.description)
    } catch let error as StudyProblems {
      throw EvaluationError.unavailable(error.description)
    } catch let error as ConfigurationError {
      throw EvaluationError.unavailable(error.description)
    } catch let error as SearchSpaceError {
      throw EvaluationError.unavailable("space: \(error.message)")
    } catch let error as ModelFileError {
      throw EvaluationError.unavailable(error.description)
    } catch let error as CUDAError {
      throw EvaluationError.unavailable(error.description)
    } catch let error as BackendError {
      // The base itself does not fit, or the backend cannot be had: starting again would not help.
      throw EvaluationError.unavailable(
        "the base cannot be loaded: \(error.message)",
        nextStep: error.code == .outOfMemory ? "use a device with more memory, or raise --memory" : nil)
    } catch let error as AdapterError {
      throw EvaluationError.unavailable(error.description, nextStep: "correct memory.targets in the study's file")
    }
  }

  /// A GPU's memory, which the process's own account does not show.
  package var deviceBytes: Int { (experiment?.model.backend as? CUDABackend)?.memory.used ?? 0 }

  package func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult {
    guard let experiment else { throw EvaluationError.unavailable("the evaluator was not prepared") }
    do {
      let outcome = try experiment.evaluate(
        request.configuration, seed: request.seed,
        checkpoint: request.scratch.appendingPathComponent("state"),
        progress: { Self.tell(monitor, $0) }, isCancelled: { monitor.isCancelled })
      return try result(outcome, scratch: request.scratch)
    } catch is TrialCancelled {
      throw EvaluationError.cancelled()
    } catch let error as TrainingError where error.code == .diverged {
      throw EvaluationError.diverged(error.message)
    } catch let error as GenerationError where error.code == .notFinite {
      throw EvaluationError.diverged(error.message)
    } catch let error as ModelFileError where error.code == .malformed {
      // The base itself is to blame: every further trial would end in the same way.
      throw EvaluationError.unavailable(error.description)
    } catch let error as BackendError where error.code == .outOfMemory {
      throw EvaluationError.outOfMemory(error.message)
    } catch let error as CUDAError where error.code == .outOfMemory {
      throw EvaluationError.outOfMemory(error.description)
    } catch let error as CUDAError where error.code == .device {
      // The device's context is lost with it: nothing more can be computed in this process.
      throw EvaluationError(
        .failed(.hardware), error.description, nextStep: "look at the device with nvidia-smi and dmesg")
    }
  }

  private static func tell(_ monitor: EvaluationMonitor, _ progress: TrialProgress) {
    monitor.progress(step: Int(progress.fraction * 1000), total: 1000, phase: progress.phase.rawValue)
    let values = progress.values.filter { $0.value.isFinite }
    if !values.isEmpty { monitor.report(step: progress.step, values: values) }
  }

  private func result(_ outcome: TrialOutcome, scratch: URL) throws -> EvaluationResult {
    let all = outcome.objectives
    let names = Set(configuration.objectives.map(\.name))
    // The file's objectives are checked when the study is prepared; what is left is a metric without samples.
    if let missing = names.sorted().first(where: { all[$0] == nil }) {
      throw EvaluationError.unavailable(
        "the objective '\(missing)' has nothing to measure",
        nextStep: "choose among \(all.keys.sorted().joined(separator: ", "))")
    }
    var artifacts: [String: URL] = [:]
    if keepsAdapters, let export = outcome.exportAdapter {
      let folder = scratch.appendingPathComponent("adapter")
      try? FileManager.default.removeItem(at: folder)
      try export(folder)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder.path) {
        artifacts[name] = folder.appendingPathComponent(name)
      }
    }
    var metrics = all.filter { !names.contains($0.key) }
    metrics["seconds"] = outcome.seconds
    metrics["steps"] = Double(outcome.steps)
    if let loss = outcome.finalTrainingLoss { metrics["finalTrainingLoss"] = loss }
    return EvaluationResult(
      TrialResult(
        objectives: all.filter { names.contains($0.key) },
        standardErrors: outcome.measurement.standardErrors.filter { names.contains($0.key) }, metrics: metrics),
      artifacts: artifacts)
  }
}
