import BayesianOptimization
import Foundation
import Study

/// Evaluates a published test function: for benchmarks, fault and scale tests.
package final class AnalyticEvaluator: TrialEvaluator {
  private let problem: AnalyticProblem
  private let seconds: Double
  private let steps: Int

  /// - Parameters:
  ///   - problem: the function.
  ///   - seconds: how long a trial pretends to work, in seconds. Default 0.
  ///   - steps: in how many steps, each with its progress. Default 10.
  package init(problem: AnalyticProblem, seconds: Double = 0, steps: Int = 10) {
    self.problem = problem
    self.seconds = max(0, seconds)
    self.steps = max(1, steps)
  }

  package func prepare(_ monitor: EvaluationMonitor) {}

  package func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult {
    for step in 1...steps {
      try monitor.checkCancelled()
      if seconds > 0 { Thread.sleep(forTimeInterval: seconds / Double(steps)) }
      monitor.progress(step: step, total: steps, phase: "evaluate")
    }
    let values = try problem.observe(request.configuration, seed: request.seed, index: 0)
    return EvaluationResult(
      TrialResult(
        objectives: values, standardErrors: problem.noise.filter { $0.value > 0 }, metrics: ["seconds": seconds]))
  }
}
