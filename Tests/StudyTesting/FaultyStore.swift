import Foundation
import Study
import Synchronization

/// A store that fails on purpose, around any other store.
///
/// Kinds of fault: the write does not happen, or it happens and the caller is told that it did not (the fault that
/// finds missing idempotency). Faults are planned by the running number of the commit, from 1.
package final class FaultyStore: StudyStore {
  /// What happens at a planned commit.
  package enum Fault: Hashable, Sendable {
    /// Nothing is written, this error is thrown.
    case fail(StudyError)
    /// Everything is written, this error is thrown all the same.
    case executeAndFail(StudyError)
    /// The same, and the next question for the last event number fails as well.
    case executeAndLoseContact(StudyError)
  }

  private struct Plan {
    var commits = 0
    var fired = 0
    var lostContact: StudyError?
    /// Every question and every commit gets this error.
    var gone: StudyError?
    var decide: @Sendable (Int) -> Fault?
  }

  private let base: any StudyStore
  private let plan: Mutex<Plan>

  /// Wraps `base`; `decide` gives the fault of the k-th commit (k from 1), or nil.
  package init(_ base: any StudyStore, decide: @escaping @Sendable (_ commit: Int) -> Fault?) {
    self.base = base
    plan = Mutex(Plan(decide: decide))
  }

  /// Number of commits tried so far.
  package var commits: Int { plan.withLock { $0.commits } }
  /// Number of faults that fired; a fault test asserts that it is positive.
  package var fired: Int { plan.withLock { $0.fired } }

  /// Replaces the plan of faults from the next commit on.
  package func replan(_ decide: @escaping @Sendable (Int) -> Fault?) { plan.withLock { $0.decide = decide } }

  /// Takes the store away, as if its file had been deleted, or gives it back (nil).
  package func takeAway(_ error: StudyError?) { plan.withLock { $0.gone = error } }

  package func commit(_ transitions: [Transition]) throws {
    if let error = plan.withLock({ $0.gone }) {
      plan.withLock { $0.fired += 1 }
      throw error
    }
    let fault = plan.withLock { plan in
      plan.commits += 1
      let fault = plan.decide(plan.commits)
      if fault != nil { plan.fired += 1 }
      return fault
    }
    switch fault {
    case .fail(let error): throw error
    case .executeAndFail(let error):
      try base.commit(transitions)
      throw error
    case .executeAndLoseContact(let error):
      try base.commit(transitions)
      plan.withLock { $0.lostContact = error }
      throw error
    case nil: try base.commit(transitions)
    }
  }

  package func load() throws -> StudyRecord {
    if let error = plan.withLock({ $0.gone }) { throw error }
    return try base.load()
  }
  package func lastEventNumber() throws -> Int {
    try meetFault()
    return try base.lastEventNumber()
  }
  package func mark() throws -> CommitMark {
    try meetFault()
    return try base.mark()
  }

  private func meetFault() throws {
    let error = plan.withLock { plan in
      defer { plan.lostContact = nil }
      return plan.lostContact ?? plan.gone
    }
    if let error { throw error }
  }

  package func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try base.events(after: number, limit: limit)
  }
  package func reports(trial: Int) throws -> [IntermediateReport] { try base.reports(trial: trial) }
  package func warmStart(trial: Int) throws -> Data? { try base.warmStart(trial: trial) }
}
