import Foundation
import Foundations
import Study
import Synchronization

/// A store that counts its commits and the time they take.
final class MeasuredStore: StudyStore {
  struct Counts: Sendable {
    var commits = 0
    var steps = 0
    var seconds = 0.0
    var slowest = 0.0
  }

  private let base: any StudyStore
  private let total = Mutex(Counts())

  init(_ base: any StudyStore) { self.base = base }

  var counts: Counts { total.withLock { $0 } }

  func commit(_ transitions: [Transition]) throws {
    let start = ContinuousClock.now
    try base.commit(transitions)
    let seconds = start.duration(to: .now).seconds
    total.withLock {
      $0.commits += 1
      $0.steps += transitions.count
      $0.seconds += seconds
      $0.slowest = max($0.slowest, seconds)
    }
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
