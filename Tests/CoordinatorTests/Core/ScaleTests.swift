import BayesianOptimization
import Foundation
import Study
import StudyDatabase
import TestSupport
import Testing

@testable import Coordinator

/// Sizes that are measured on demand: `ENGRAM_SCALE=1`.
@Suite(.ownThread, .enabled(if: ProcessInfo.processInfo.environment["ENGRAM_SCALE"] != nil), .bounded)
struct ScaleTests {
  @Test(arguments: [10_000, 100_000]) func reopeningAndCommits(_ count: Int) throws {
    let folder = try TemporaryFolder()
    let clock = ContinuousClock()
    do {
      let store = try SQLiteStudyStore(
        StudyFolder(folder.url), beginning: (ToyEvaluation.definition(seed: 1), count))
      var state = StudyState(record: try store.load(), policy: ToyEvaluation.policy)
      let worker = WorkerIdentity(name: "host/0", incarnation: "1", host: "host", device: "cpu")
      var batch = Batch()
      let made = try clock.measure {
        for number in 0..<count {
          let configuration = Configuration.memory(layers: Array(0..<(1 + number % 32)), count: number, rank: 8)
          let provenance = Provenance(
            source: "nehvi", proposalIndex: number, eventNumber: number, pending: [number], acquisition: 0.5,
            diagnostics: ["rHat": 1.01, "divergences": 0])
          func take(_ step: Transition) {
            state.apply(step)
            batch.add(step)
          }
          take(
            try state.enqueue(
              .search, configuration: configuration, key: "\(number)", provenance: provenance, time: 1))
          take(try state.lease(trial: number, to: worker, leaseSeconds: 60, time: 2))
          let token = AttemptToken(number + 1)
          take(try state.start(token, time: 3))
          let result = ToyEvaluation.result(configuration, seed: UInt64(number))
          take(try state.complete(token, result: result, time: 4).transition)
          if number % 1_000 == 999 { try store.commit(batch.take(state.header)) }
        }
      }
      print("\(count) trials made in \(made)")
      try store.close()
    }
    // What a coordinator does before it answers the first worker: file check, everything loaded, its first commit.
    var opened: (store: SQLiteStudyStore, core: CoordinatorCore)?
    let reopening = try clock.measure {
      let store = try SQLiteStudyStore(StudyFolder(folder.url))
      let core = try CoordinatorCore(
        settings: CoordinatorSettings(build: "b", budget: count + 1), store: store, policy: ToyEvaluation.policy,
        sessionName: "s", key: ToySampler.key, now: .zero, wallTime: 5)
      opened = (store, core)
    }
    print("reopening \(count) trials: \(reopening)")
    #expect(reopening < .seconds(2), "\(count) trials")
    let (store, core) = try #require(opened)
    var study = core.state
    #expect(study.trials.count == count)
    let commits = 200
    let written = try clock.measure {
      for index in 0..<commits {
        let step = index % 2 == 0 ? study.pause(time: 1) : study.resume(time: 1)
        try store.commit(step)
        study.apply(step)
      }
    }
    print("\(commits) commits in \(written) with \(count) trials")
  }

  /// Many steps as one transition.
  private struct Batch {
    var events: [StudyEvent] = []
    var trials: [Int: Trial] = [:]
    var tokens: Set<AttemptToken> = []

    mutating func add(_ step: Transition) {
      events += step.events
      tokens.formUnion(step.changedAttempts)
      for trial in step.trials { trials[trial.number] = trial }
    }

    mutating func take(_ header: StudyHeader) -> Transition {
      defer { self = Batch() }
      return Transition(
        events: events, header: header, trials: trials.values.sorted { $0.number < $1.number },
        changedAttempts: tokens)
    }
  }
}
