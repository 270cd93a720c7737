import Foundation
import Study

/// A study's store with failpoints around every commit.
struct FailpointStore: StudyStore {
  let base: any StudyStore

  func commit(_ transitions: [Transition]) throws {
    let names = transitions.compactMap(Self.name)
    Failpoint.pass("commit.before")
    for name in names { Failpoint.pass("\(name).before") }
    try base.commit(transitions)
    for name in names { Failpoint.pass("\(name).after") }
    Failpoint.pass("commit.after")
  }

  private static func name(_ transition: Transition) -> String? {
    for event in transition.events {
      switch event.kind {
      case .trialQueued: return "proposal"
      case .attemptLeased: return "lease"
      case .trialCompleted, .attemptFailed, .attemptReleased: return "outcome"
      default: continue
      }
    }
    return nil
  }

  func load() throws -> StudyRecord { try base.load() }
  func lastEventNumber() throws -> Int { try base.lastEventNumber() }
  func mark() throws -> CommitMark { try base.mark() }
  func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try base.events(after: number, limit: limit)
  }
  func reports(trial: Int) throws -> [IntermediateReport] { try base.reports(trial: trial) }
  func warmStart(trial: Int) throws -> Data? { try base.warmStart(trial: trial) }
}
