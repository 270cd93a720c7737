import Synchronization

/// What stands between a trainer and its evaluator: nothing; see `CoordinatorSeams`.
package enum EvaluatorSeam {
  package typealias Wrapper = @Sendable (any TrialEvaluator) -> any TrialEvaluator

  private static let installed = Mutex<Wrapper> { $0 }

  /// Puts an injector into this program, before it starts anything.
  package static func install(_ wrapper: @escaping Wrapper) { installed.withLock { $0 = wrapper } }

  static func wrap(_ evaluator: any TrialEvaluator) -> any TrialEvaluator {
    installed.withLock { $0 }(evaluator)
  }
}
