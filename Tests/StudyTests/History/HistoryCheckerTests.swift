import Study
import TestSupport
import Testing

/// The checker finds what it is there to find: every kind of damage is planted once.
@Suite(.bounded) struct HistoryCheckerTests {
  private func sound() throws -> (StudyRecord, [StudyEvent]) {
    var study = try StudyFixture(budget: 2)
    _ = try study.complete(study.leaseAndStart(0), loss: 3)
    _ = try study.complete(study.leaseAndStart(study.enqueue(1)), loss: 2)
    _ = try study.complete(study.leaseAndStart(study.enqueue(2)), loss: 1, rouge: 0.05)
    return (try study.store.load(), try study.store.events(after: 0, limit: .max))
  }

  private func rules(_ record: StudyRecord, _ events: [StudyEvent]) -> Set<String> {
    Set(HistoryChecker(policy: StudyFixture.policy, expectsEnd: true).check(record, events: events).map(\.rule))
  }

  @Test func aSoundStudyHasNoFindings() throws {
    let (record, events) = try sound()
    #expect(rules(record, events).isEmpty)
  }

  @Test func damageIsFound() throws {
    let (record, events) = try sound()
    var lost = record
    lost.trials[1].state = .queued
    #expect(rules(lost, events).isSuperset(of: ["states agree", "one result", "nothing open at the end"]))
    var doubled = record
    doubled.trials[1].attempts.append(doubled.trials[1].attempts[0])
    #expect(rules(doubled, events).isSuperset(of: ["tokens unique", "one result"]))
    var altered = record
    altered.trials[1].result?.objectives["rougeL"] = 0.01
    #expect(rules(altered, events).isSuperset(of: ["one result", "front"]))
    var budget = record
    budget.header.budget = 3
    #expect(rules(budget, events) == ["budget exact"])
    #expect(rules(record, events.filter { $0.number != 4 }).contains("events gapless"))
    var key = record
    key.trials[2].configurationKey = key.trials[1].configurationKey
    #expect(rules(key, events) == ["keys unique", "keys agree"])
    var checker = HistoryChecker(policy: StudyFixture.policy)
    checker.acknowledged = [AttemptToken(1): TrialResult(objectives: ["loss": 77])]
    #expect(checker.check(record, events: events).map(\.rule) == ["acknowledged is kept"])
  }

  @Test func aWrongHypervolumeIsFound() throws {
    let (record, events) = try sound()
    let wrong = events.map { event -> StudyEvent in
      var event = event
      if case .trialCompleted(let trial, let token, let front, let value?) = event.kind {
        event.kind = .trialCompleted(trial: trial, token: token, front: front, hypervolume: value + 1)
      }
      return event
    }
    #expect(rules(record, wrong) == ["hypervolume"])
  }
}
