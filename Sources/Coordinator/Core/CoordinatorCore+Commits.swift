import Foundation
import Study

/// What is stored, and whether it was: nothing follows from a step that is not known to be.
extension CoordinatorCore {
  /// Commits while opening, where an error is the caller's to handle.
  mutating func require(_ transition: Transition) throws {
    guard !transition.isEmpty else { return }
    try store.commit(transition)
    state.apply(transition)
  }

  /// Commits and applies a transition; false if it could not be stored, so that nothing may follow from it.
  ///
  /// In a batch it is applied at once and stored with the others at the end.
  mutating func commit(_ transition: Transition) -> Bool {
    guard !isBroken else { return false }
    if gathered != nil {
      if transition.isEmpty { return true }
      gathered?.append(transition)
      settle(transition)
      return true
    }
    let known = state.header.lastEvent
    guard resolveUncertainty(), state.header.lastEvent == known else {
      // An earlier step turned out to be stored: this one was computed without it and has to be computed again.
      return false
    }
    if transition.isEmpty { return true }
    do {
      try store.commit(transition)
      settle(transition)
      return true
    } catch {
      uncertain = [transition]
      // The error may have come after the deed: ask the store what is true.
      let before = state.header.lastEvent
      if resolveUncertainty(), state.header.lastEvent != before { return true }
      report(Self.problem(error))
      return false
    }
  }

  private static func problem(_ error: any Error) -> StudyError {
    if let error = error as? StudyError { return error }
    return StudyError(error is EncodingError ? .unstorable : .inputOutput, "\(error)")
  }

  /// Whether the store itself holds everything that is in memory: asked before something is acknowledged again that was
  /// stored earlier, because the file may have been taken away or replaced since.
  mutating func isConfirmed() -> Bool {
    guard !isBroken else { return false }
    if gathered != nil {
      needsConfirmation = true
      return true
    }
    guard resolveUncertainty() else { return false }
    do {
      let mark = try store.mark()
      if mark == CommitMark(state.header) { return true }
      report(strange(mark))
    } catch {
      report(Self.problem(error))
    }
    return false
  }

  private mutating func settle(_ transition: Transition) {
    state.apply(transition)
    for (trial, data) in transition.warmStarts { warmStart = (trial, data) }
    if trouble != nil {
      trouble = nil
      note(.info, "the study can be written again")
    }
  }

  /// Makes up for what did not follow from a step at the time, because it was not known to be stored: every live
  /// attempt has a deadline, and one that was never sent is given back.
  mutating func recover() {
    guard uncertain.isEmpty else { return }
    for attempt in state.liveAttempts where attempt.leaseSeconds > 0 && deadlines[attempt.token] == nil {
      if attempt.state == .leased {
        giveBack(attempt.token, reason: "its assignment was never sent")
      } else {
        deadlines[attempt.token] = now + settings.lease
      }
    }
  }

  /// Finds out whether transitions whose commit failed were stored.
  ///
  /// False while that can not be known.
  mutating func resolveUncertainty() -> Bool {
    guard let newest = uncertain.last else { return true }
    do {
      // The number alone could be another coordinator's: its commit of that number would pass for one's own.
      let mark = try store.mark()
      if mark == CommitMark(state.header) {
        uncertain = []
      } else if mark == CommitMark(newest.header) {
        let steps = uncertain
        uncertain = []
        for step in steps { settle(step) }
      } else {
        report(strange(mark))
        return false
      }
      return true
    } catch {
      report(Self.problem(error))
      return false
    }
  }

  private func strange(_ mark: CommitMark) -> StudyError {
    StudyError(
      .sequenceConflict,
      "the database is at event \(mark.event) of epoch \(mark.epoch), this coordinator at event "
        + "\(state.header.lastEvent) of epoch \(state.header.epoch): somebody else writes to it, or it was replaced. "
        + "Nothing more is acknowledged; one study has one coordinator")
  }

  private mutating func report(_ problem: StudyError) {
    if problem.code.isTemporary {
      if trouble?.code != problem.code { note(.warning, problem.message) }
      trouble = problem
    } else if problem.code == .unstorable {
      unstorable = problem
    } else {
      end(with: problem)
    }
  }

  /// The store is beyond use; nothing is stored or acknowledged from here on.
  mutating func end(with problem: StudyError) {
    guard !isBroken else { return }
    isBroken = true
    output.append(.fatal(problem))
  }

  /// Stores the steps of a batch; false if they were not stored, or if that is not known.
  mutating func isStored(_ steps: [Transition]) -> Bool {
    guard let last = steps.last else { return !needsConfirmation || hasMark(of: state.header) }
    let hasEvents = steps.contains { !$0.events.isEmpty }
    do {
      try store.commit(steps)
      return hasEvents || !needsConfirmation || hasMark(of: last.header)
    } catch {
      // The error may have come after the deed.
      return hasEvents && hasMark(of: last.header)
    }
  }

  /// Whether the store holds exactly this coordinator's steps up to a header; an unknown answer is a no.
  private func hasMark(of header: StudyHeader) -> Bool {
    do { return try store.mark() == CommitMark(header) } catch { return false }
  }
}
