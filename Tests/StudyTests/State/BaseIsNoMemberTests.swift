import BayesianOptimization
import Study
import TestSupport
import Testing

/// The un-injected base is the reference, never a member of the front.
@Suite("The base and the front", .bounded) struct BaseIsNoMemberTests {
  @Test("the base is neither on the front nor in the hypervolume, however good it is") func baseIsBest() throws {
    var study = try StudyFixture(budget: 3)
    _ = try study.complete(study.leaseAndStart(0), loss: 0, rouge: 1)
    #expect(study.state.front.isEmpty)
    let trial = try study.enqueue(1)
    _ = try study.complete(study.leaseAndStart(trial), loss: 4, rouge: 0.5)
    #expect(study.state.front == [trial])
    // (10 − 4) · (0.5 + 1), without the base's 10 · 2.
    #expect(study.state.trials[trial].hypervolume == 9)
    #expect(try study.findings() == [])
  }

  @Test("studies of older versions, which counted the base in, stay sound and go on") func olderStudies() throws {
    var study = try StudyFixture(budget: 3)
    _ = try study.complete(study.leaseAndStart(0), loss: 0, rouge: 1)
    let trial = try study.enqueue(1)
    _ = try study.complete(study.leaseAndStart(trial), loss: 4, rouge: 2)
    var record = try study.store.load()
    let events = try study.store.events(after: 0, limit: .max).map { event -> StudyEvent in
      guard case .trialCompleted(let number, let token, let front, let volume) = event.kind else { return event }
      let earlier = number == 0 ? [0] : [0] + front
      let with = number == 0 ? 20.0 : 26.0
      return StudyEvent(
        number: event.number, time: event.time,
        kind: .trialCompleted(trial: number, token: token, front: earlier, hypervolume: volume.map { _ in with }))
    }
    record.trials[0].hypervolume = record.trials[0].hypervolume.map { _ in 20 }
    record.trials[1].hypervolume = record.trials[1].hypervolume.map { _ in 26 }
    let checker = HistoryChecker(policy: study.state.policy)
    #expect(checker.check(record, events: events).map(\.description) == [])
    // A front that is neither is found.
    let wrong = events.map { event -> StudyEvent in
      guard case .trialCompleted(1, let token, _, let volume) = event.kind else { return event }
      return StudyEvent(
        number: event.number, time: event.time,
        kind: .trialCompleted(trial: 1, token: token, front: [0], hypervolume: volume))
    }
    #expect(checker.check(record, events: wrong).map(\.rule) == ["front"])
  }
}
