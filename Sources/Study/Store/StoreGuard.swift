/// The checks that every store makes before it takes a transition; the database's constraints are a second line.
public enum StoreGuard {
  /// Throws if a transition may not follow event `lastEvent` in a study that has `trialCount` trials.
  public static func check(_ transition: Transition, lastEvent: Int, trialCount: Int) throws(StudyError) {
    var expected = lastEvent
    for event in transition.events {
      expected += 1
      guard event.number == expected else {
        throw StudyError(
          .sequenceConflict,
          "event \(event.number) does not follow event \(expected - 1), the last one stored; load the study again")
      }
    }
    guard transition.header.lastEvent == expected else {
      throw StudyError(
        .sequenceConflict,
        "the header is at event \(transition.header.lastEvent), the events end at \(expected); load the study again")
    }
    var next = trialCount
    for trial in transition.trials {
      if trial.number == next {
        next += 1
      } else if trial.number > next || trial.number < 0 {
        throw StudyError(.sequenceConflict, "trial \(trial.number) would leave a gap: the next number is \(next)")
      }
      let live = trial.attempts.count { $0.state.isLive }
      guard live <= 1, (live == 1) == (trial.state == .running) else {
        throw StudyError(
          .illegalTransition, "trial \(trial.number) is \(trial.state.rawValue) with \(live) live attempts")
      }
    }
  }
}
