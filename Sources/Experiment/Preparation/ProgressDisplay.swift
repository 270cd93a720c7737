import Worker

/// Shows a long step to whoever waits for it.
package protocol ProgressDisplay: Sendable {
  /// Shows the state: `done` of `total`, and what is being done.
  func update(done: Double, total: Double, text: String, isFinal: Bool)
  /// Shows a line that stays.
  func log(_ text: String)
  /// The step is over.
  func finish()
}

extension ProgressDisplay {
  package func update(done: Double, total: Double, text: String) {
    update(done: done, total: total, text: text, isFinal: false)
  }

  /// Shows a step of a study's preparation.
  package func show(_ step: StudyResources.Step) {
    switch step {
    case .note(let text): log(text)
    case .warning(let text): log("warning: \(text)")
    case .progress(let fraction, let text): update(done: fraction, total: 1, text: text, isFinal: fraction >= 1)
    }
  }
}
