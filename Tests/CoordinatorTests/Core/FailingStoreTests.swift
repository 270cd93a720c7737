import Study
import StudyTesting
import TestSupport
import Testing

/// R12, R13: the k-th write fails, for every k until a run meets no fault any more.
@Suite("Failing stores", .bounded) struct FailingStoreTests {
  enum Kind: CaseIterable, Sendable { case lost, done, doneAndSilent }
  static let codes: [StudyError.Code] = [.diskFull, .inputOutput, .busy]

  @Test("R13: every write may fail once") func everyWriteMayFailOnce() async {
    let outcome = await FaultRun.perform("R13") { run in
      for kind in Kind.allCases {
        for code in Self.codes {
          try Self.failEveryWrite(kind, code, isBatching: false, run)
          try Self.failEveryWrite(kind, code, isBatching: true, run)
        }
      }
      run.outcome.count = run.fired
      run.outcome.what = "each write of a scripted study failing in turn: \(Kind.allCases.count) ways, 3 errors"
    }
    #expect(outcome.problems == [])
  }

  private static func failEveryWrite(
    _ kind: Kind, _ code: StudyError.Code, isBatching: Bool, _ run: FaultRun
  ) throws {
    var kth = 0
    var fired = 1
    while fired > 0 {
      kth += 1
      let base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
      let error = StudyError(code, "ordered")
      let target = kth
      // The first three commits belong to opening; there an error is the caller's.
      let store = FaultyStore(base) { commit in
        guard commit == target + 3 else { return nil }
        switch kind {
        case .lost: return .fail(error)
        case .done: return .executeAndFail(error)
        case .doneAndSilent: return .executeAndLoseContact(error)
        }
      }
      var cluster = try StraightCluster(store: store, budget: 6)
      cluster.isBatching = isBatching
      try cluster.run()
      run.check(cluster.finish == .budget && cluster.fatal == nil, "\(code), write \(kth): did not end well")
      let findings = try cluster.findings()
      run.check(findings.isEmpty, "\(code), write \(kth): \(findings.prefix(3))")
      fired = store.fired
      run.fire("\(kind) \(code)", fired)
    }
    // A batch needs fewer writes.
    run.check(kth > (isBatching ? 12 : 25), "only \(kth) writes")
  }

  @Test("R13: a full disk pauses; nothing is acknowledged until there is room", .ownThread)
  func aFullDiskPausesAndNothingIsAcknowledgedUntilThereIsRoom() throws {
    let base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
    let store = FaultyStore(base) { (20..<60).contains($0) ? .fail(StudyError(.diskFull, "full")) : nil }
    var cluster = try StraightCluster(store: store, budget: 6)
    try cluster.run()
    #expect(store.fired == 40)
    #expect(cluster.finish == .budget)
    #expect(try cluster.findings() == [])
  }

  @Test("R13: a broken database ends the run", .ownThread) func aBrokenDatabaseEndsTheRun() throws {
    let base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
    let store = FaultyStore(base) { $0 > 12 ? .fail(StudyError(.corrupt, "broken")) : nil }
    var cluster = try StraightCluster(store: store, budget: 6)
    try cluster.run()
    #expect(cluster.fatal?.code == .corrupt)
    #expect(cluster.finish == nil)
  }
}
