/// What stands between a trainer and its evaluator: nothing; see `CoordinatorSeams`.
package enum EvaluatorSeam {
  /// That of this task.
  @TaskLocal package static var wrap: @Sendable (any TrialEvaluator) -> any TrialEvaluator = { $0 }
}
