import Personalization
import Synchronization

/// What the preparation throws when a signal comes.
typealias TrialCancelledError = TrialCancelled

/// A request to stop that may come before there is something to stop.
final class StopFlag: Sendable {
  private struct State {
    var isRaised = false
    var action: (@Sendable () -> Void)?
  }
  private let state = Mutex(State())

  /// Whether somebody wants this process to stop.
  var isRaised: Bool { state.withLock { $0.isRaised } }

  func raise() {
    let action = state.withLock { state -> (@Sendable () -> Void)? in
      state.isRaised = true
      return state.action
    }
    action?()
  }

  /// Runs `action` when the flag is raised, at once if it was raised before.
  func onRaise(_ action: @escaping @Sendable () -> Void) {
    let now = state.withLock { state -> Bool in
      state.action = action
      return state.isRaised
    }
    if now { action() }
  }
}
