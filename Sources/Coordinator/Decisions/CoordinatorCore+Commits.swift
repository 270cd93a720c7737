import Foundation
import Study

/// What is stored, and whether it was: nothing follows from a step that is not known to be.
extension CoordinatorCore {
  /// Commits while opening, where an error is the caller's to handle.
  mutating func commitOrThrow(_ transition: Transition) throws {
    guard !transition.isEmpty else { return }
    try store.commit(transition)
    state.apply(transition)
  }

  /// Commits and applies a transition; false if it could not be stored, so that nothing may follow from it.
  ///
  /// One that can never be stored ends the run.
  mutating func commit(_ transition: Transition) -> Bool {
    switch tryCommit(transition) {
    case .stored: return true
    case .notStored: return false
    case .impossible(let problem):
      fail(with: problem)
      return false
    }
  }

  /// Commits and applies a transition; in a batch it is applied at once and stored with the others at the end.
  mutating func tryCommit(_ transition: Transition) -> CommitResult {
    guard phase != .broken else { return .notStored }
    if journal.batch != nil {
      guard !transition.isEmpty else { return .stored }
      journal.batch?.steps.append(transition)
      apply(transition)
      return .stored
    }
    let known = state.header.lastEvent
    guard resolveUncertainty(), state.header.lastEvent == known else {
      // An earlier step turned out to be stored: this one was computed without it and has to be computed again.
      return .notStored
    }
    if transition.isEmpty { return .stored }
    do {
      try store.commit(transition)
      apply(transition)
      return .stored
    } catch {
      journal = .uncertain([transition])
      // The error may have come after the step was stored: ask the store.
      let before = state.header.lastEvent
      if resolveUncertainty(), state.header.lastEvent != before { return .stored }
      let problem = Self.problem(error)
      if problem.code == .unstorable { return .impossible(problem) }
      report(problem)
      return .notStored
    }
  }

  private static func problem(_ error: any Error) -> StudyError {
    if let error = error as? StudyError { return error }
    return StudyError(error is EncodingError ? .unstorable : .inputOutput, "\(error)")
  }

  /// Whether the store itself holds everything that is in memory: asked before something is acknowledged again that was
  /// stored earlier, because the file may have been taken away or replaced since.
  mutating func isConfirmed() -> Bool {
    guard phase != .broken else { return false }
    if journal.batch != nil {
      journal.batch?.needsConfirmation = true
      return true
    }
    guard resolveUncertainty() else { return false }
    do {
      let mark = try store.mark()
      if mark == CommitMark(state.header) { return true }
      report(unexpected(mark))
    } catch {
      report(Self.problem(error))
    }
    return false
  }

  private mutating func apply(_ transition: Transition) {
    state.apply(transition)
    for (trial, data) in transition.warmStarts { warmStart = (trial, data) }
    if trouble != nil {
      trouble = nil
      log(.info, "the study can be written again")
    }
  }

  /// Makes up for what did not follow from a step at the time, because it was not known to be stored: every live
  /// attempt has a deadline, and one that was never sent is given back.
  mutating func recover() {
    if case .uncertain = journal { return }
    for attempt in state.liveAttempts where attempt.leaseSeconds > 0 && deadlines[attempt.token] == nil {
      if attempt.state == .leased {
        release(attempt.token, reason: "its assignment was never sent")
      } else {
        deadlines[attempt.token] = now + settings.lease
      }
    }
  }

  /// Finds out whether transitions whose commit failed were stored.
  ///
  /// False while that can not be known.
  mutating func resolveUncertainty() -> Bool {
    guard case .uncertain(let steps) = journal else { return true }
    do {
      // The number alone could be another coordinator's: its commit of that number would pass for one's own.
      let mark = try store.mark()
      if mark == CommitMark(state.header) {
        journal = .stored
      } else if let newest = steps.last, mark == CommitMark(newest.header) {
        journal = .stored
        for step in steps { apply(step) }
      } else {
        report(unexpected(mark))
        return false
      }
      return true
    } catch {
      report(Self.problem(error))
      return false
    }
  }

  private func unexpected(_ mark: CommitMark) -> StudyError {
    StudyError(
      .sequenceConflict,
      "the database is at event \(mark.event) of epoch \(mark.epoch), this coordinator at event "
        + "\(state.header.lastEvent) of epoch \(state.header.epoch): somebody else writes to it, or it was replaced. "
        + "Nothing more is acknowledged; one study has one coordinator")
  }

  /// A trouble that may pass is said once; any other one ends the run.
  private mutating func report(_ problem: StudyError) {
    guard problem.code.isTemporary else { return fail(with: problem) }
    if trouble?.code != problem.code { log(.warning, problem.message) }
    trouble = problem
  }

  /// The store is beyond use; nothing is stored or acknowledged from here on.
  mutating func fail(with problem: StudyError) {
    guard phase != .broken else { return }
    phase = .broken
    emit(.fatal(problem))
  }

  /// Handles events as one transaction; nil if it was not stored, or if that is not known: then nothing has happened.
  ///
  /// Everything that follows from the events is computed on the values here, and the values from before come back if the
  /// transaction fails. They are a copy: of the references to the collections at first, and of a collection when it is
  /// changed, once for all events of the batch. A single event needs none, because each of its steps waits for its commit.
  mutating func handleTogether(_ events: [Event]) -> [Action]? {
    guard phase != .broken, resolveUncertainty(), trouble == nil else { return nil }
    let before = self
    journal = .gathering(CommitBatch())
    for event in events { receive(event) }
    schedule()
    let batch = journal.batch ?? CommitBatch()
    if isStored(batch) {
      journal = .stored
      return collect()
    }
    self = before
    if !batch.steps.isEmpty { journal = .uncertain(batch.steps) }
    _ = resolveUncertainty()
    return nil
  }

  /// Stores the steps of a batch; false if they were not stored, or if that is not known.
  private func isStored(_ batch: CommitBatch) -> Bool {
    guard let last = batch.steps.last else { return !batch.needsConfirmation || hasMark(of: state.header) }
    let hasEvents = batch.steps.contains { !$0.events.isEmpty }
    do {
      try store.commit(batch.steps)
      return hasEvents || !batch.needsConfirmation || hasMark(of: last.header)
    } catch {
      // The error may have come after the steps were stored.
      return hasEvents && hasMark(of: last.header)
    }
  }

  /// Whether the store holds exactly this coordinator's steps up to a header; an unknown answer is a no.
  private func hasMark(of header: StudyHeader) -> Bool {
    do { return try store.mark() == CommitMark(header) } catch { return false }
  }
}
