/// The checks that every store makes before it takes a transition; the database's constraints are a second line.
package enum StoreGuard {
  /// Throws if a transition does not come from the coordinator process that the stored header names, and does not take
  /// the study over by opening it with the next epoch.
  package static func check(_ transition: Transition, stored: CommitMark) throws(StudyError) {
    // A study without events has had no coordinator yet: it is being begun, or comes whole from an archive.
    if stored.event == 0 { return }
    let own = CommitMark(transition.header)
    if own.hasWriter(of: stored) { return }
    let opened = transition.events.contains { event in
      if case .coordinatorStarted(let epoch) = event.kind {
        epoch == stored.epoch + 1 && epoch == own.epoch
      } else {
        false
      }
    }
    guard !opened else { return }
    throw StudyError(
      .sequenceConflict,
      "another coordinator has opened this study (epoch \(stored.epoch), here \(own.epoch)) and writes to it now; "
        + "nothing more is stored or acknowledged here. One study has one coordinator: end one of the two")
  }

  /// Throws if a transition may not follow event `lastEvent` in a study that has `trialCount` trials.
  package static func check(_ transition: Transition, lastEvent: Int, trialCount: Int) throws(StudyError) {
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
      try checkNumbers(trial, changed: transition.changedAttempts)
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

  /// A number that is not finite has no text in a record.
  private static func checkNumbers(_ trial: Trial, changed: Set<AttemptToken>) throws(StudyError) {
    if let volume = trial.hypervolume, !volume.isFinite {
      throw StudyError(.unstorable, "the hypervolume after trial \(trial.number) is \(volume), which cannot be stored")
    }
    let results =
      trial.attempts.filter { changed.contains($0.token) }.compactMap(\.result) + [trial.result].compactMap(\.self)
    guard let name = results.flatMap(\.nonFiniteNames).first else { return }
    throw StudyError(.unstorable, "\(name) of trial \(trial.number) is not finite, which cannot be stored")
  }
}
