/// The convergence test of a study: the relative hypervolume gain over the last trials.
public enum Convergence {
  /// Whether the hypervolume grew by less than `epsilon` (relative) over the last `window` completed trials.
  ///
  /// `history` holds the hypervolume after each completed trial. Never true for epsilon ≤ 0, before `window` trials, or
  /// while the hypervolume is 0.
  public static func isReached(_ history: [Double], epsilon: Double, window: Int) -> Bool {
    guard epsilon > 0, window > 0, history.count > window, let last = history.last, last > 0 else { return false }
    let before = history[history.count - 1 - window]
    return (last - before) / last < epsilon
  }
}
