import BayesianOptimization
import Foundation
import RandomStreams
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

/// Looking again at a study that goes on.
@Suite(.ownThread, .bounded) struct StudyChangesTests {
  /// A study with its store, driven by random steps.
  private struct Driver {
    let store: SQLiteStudyStore
    var state: StudyState
    var random: RandomStream

    mutating func take(_ step: Transition) throws {
      guard !step.isEmpty else { return }
      try store.commit(step)
      state.apply(step)
    }

    /// One step; refused where it is illegal.
    mutating func act(_ number: Int) throws {
      let trial = random.integer(below: state.trials.count + 1)
      let token = AttemptToken(1 + random.integer(below: max(1, state.header.nextToken)))
      let time = Double(number)
      switch random.integer(below: 11) {
      case 0, 1:
        try take(
          state.enqueue(
            .search, configuration: .memory(layers: [number], count: 1, rank: 8), key: "k\(number)",
            provenance: Provenance(source: "sobol", eventNumber: state.header.lastEvent), time: time))
      case 2, 3:
        let worker = WorkerIdentity(name: "w\(number % 3)", incarnation: "1")
        try take(state.lease(trial: trial, to: worker, leaseSeconds: 60, time: time))
      case 4: try take(state.start(token, time: time))
      case 5:
        let result = TrialResult(objectives: ["loss": random.uniform(), "rougeL": random.uniform()])
        try take(state.complete(token, result: result, time: time).transition)
      case 6:
        let failure = FailureRecord(failureClass: FailureClass.all[number % FailureClass.all.count], message: "m")
        try take(state.fail(token, failure, time: time).transition)
      case 7: try take(state.lose(token, .leaseExpired, time: time))
      case 8: try take(state.abandon(trial: trial, time: time).0)
      case 9: try take(state.retry(trial: trial, time: time))
      default: try take(number % 2 == 0 ? state.pause(time: time) : state.resume(time: time))
      }
    }
  }

  @Test(arguments: 0..<8) func whatIsNewBringsAnEarlierLookUpToDate(_ seed: Int) throws {
    let folder = try TemporaryFolder()
    let store = try SQLiteStudyStore(StudyFolder(folder.url), beginning: (StudyStoreContract.definition, 1_000))
    let state = StudyState(record: try store.load(), policy: StudyPolicy(failingAfter: 10_000))
    var driver = Driver(store: store, state: state, random: RandomStream(seed: UInt64(seed), purpose: "test/changes"))
    try driver.take(driver.state.create(base: (.memory(layers: [], count: 0, rank: 8), "null"), time: 0))
    let observer = try StudyObserver(StudyFolder(folder.url))
    var view = try observer.load()
    var looks = 0
    for step in 0..<400 {
      do {
        try driver.act(step)
      } catch is StudyError {}
      guard driver.random.integer(below: 6) == 0 else { continue }
      let known = view.header.lastEvent
      let changes = try observer.changes(since: known)
      // Its work is that of the changes.
      #expect(changes.trials.count <= driver.state.header.lastEvent - known)
      view.apply(changes)
      #expect(try view == observer.load())
      looks += 1
    }
    #expect(looks > 30 && view.trials.count > 20)
    let nothing = try observer.changes(since: driver.state.header.lastEvent)
    #expect(nothing == StudyChanges(header: driver.state.header, trials: []))
    // From the beginning it is everything.
    #expect(try observer.changes(since: 0).trials == observer.load().trials)
  }
}
