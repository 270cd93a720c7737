import Worker

/// An evaluator that meets the ordered faults before it evaluates.
final class FaultyEvaluator: TrialEvaluator {
  private let base: any TrialEvaluator

  init(_ base: any TrialEvaluator) { self.base = base }

  var deviceBytes: Int { base.deviceBytes }

  func prepare(_ monitor: EvaluationMonitor) throws { try base.prepare(monitor) }

  func evaluate(_ request: EvaluationRequest, _ monitor: EvaluationMonitor) throws -> EvaluationResult {
    try TrainerFault.due(trial: request.trial)?.strike() ?? base.evaluate(request, monitor)
  }
}
