import Foundation
import Study

/// The study's store with failpoints around every commit.
struct FailpointStore: StudyStore {
  let base: any StudyStore

  func commit(_ transition: Transition) throws {
    let name = Self.name(transition)
    Failpoint.pass("commit.before")
    if let name { Failpoint.pass("\(name).before") }
    try base.commit(transition)
    if let name { Failpoint.pass("\(name).after") }
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
  func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try base.events(after: number, limit: limit)
  }
  func reports(trial: Int) throws -> [IntermediateReport] { try base.reports(trial: trial) }
  func warmStart(trial: Int) throws -> Data? { try base.warmStart(trial: trial) }
}
