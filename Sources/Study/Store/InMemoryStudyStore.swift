import Foundation
import Synchronization

/// A store that keeps everything in memory: for tests, simulation and stateless use.
package final class InMemoryStudyStore: StudyStore {
  private struct Content {
    var record: StudyRecord
    var events: [StudyEvent] = []
    var reports: [Int: [IntermediateReport]] = [:]
    var warmStarts: [Int: Data] = [:]
    var keys: Set<String> = []
    var tokens: [AttemptToken: Int] = [:]
  }

  private let content: Mutex<Content>

  /// An empty study.
  package init(definition: StudyDefinition, budget: Int) {
    content = Mutex(Content(record: StudyRecord(definition: definition, header: StudyHeader(budget: budget))))
  }

  package func load() throws -> StudyRecord { content.withLock { $0.record } }

  package func lastEventNumber() throws -> Int { content.withLock { $0.events.last?.number ?? 0 } }

  package func mark() throws -> CommitMark { content.withLock { CommitMark($0.record.header) } }

  package func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    content.withLock { Array($0.events.dropFirst(max(0, number)).prefix(limit)) }
  }

  package func reports(trial: Int) throws -> [IntermediateReport] {
    content.withLock { content in
      (content.reports[trial] ?? []).sorted { ($0.token, $0.step) < ($1.token, $1.step) }
    }
  }

  package func warmStart(trial: Int) throws -> Data? { content.withLock { $0.warmStarts[trial] } }

  package func commit(_ transitions: [Transition]) throws {
    try content.withLock { content in
      let before = transitions.count > 1 ? content : nil
      do {
        for transition in transitions { try Self.store(transition, in: &content) }
      } catch {
        if let before { content = before }
        throw error
      }
    }
  }

  private static func store(_ transition: Transition, in content: inout Content) throws {
    try StoreGuard.check(transition, stored: CommitMark(content.record.header))
    try StoreGuard.check(
      transition, lastEvent: content.events.last?.number ?? 0, trialCount: content.record.trials.count)
    for trial in transition.trials {
      let isNew = trial.number >= content.record.trials.count
      if isNew, content.keys.contains(trial.configurationKey) {
        throw StudyError(.duplicateKey, "two trials would have the key \(trial.configurationKey)")
      }
      for attempt in trial.attempts {
        if let owner = content.tokens[attempt.token], owner != trial.number {
          throw StudyError(.illegalTransition, "token \(attempt.token) belongs to trial \(owner) already")
        }
      }
    }
    for trial in transition.trials {
      if trial.number < content.record.trials.count {
        content.record.trials[trial.number] = trial
      } else {
        content.record.trials.append(trial)
        content.keys.insert(trial.configurationKey)
      }
      for attempt in trial.attempts { content.tokens[attempt.token] = trial.number }
    }
    if !transition.events.isEmpty { content.record.header = transition.header }
    content.events += transition.events
    for report in transition.reports {
      content.reports[report.trial, default: []].removeAll { $0.token == report.token && $0.step == report.step }
      content.reports[report.trial, default: []].append(report)
    }
    content.warmStarts.merge(transition.warmStarts) { $1 }
  }
}
