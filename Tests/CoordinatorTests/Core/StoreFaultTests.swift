import Study
import Testing

/// R12, R13: the k-th write fails, for every k until a run meets no fault any more.
@Suite struct StoreFaultTests {
  enum Kind: CaseIterable, Sendable { case lost, done, doneAndSilent }

  @Test(arguments: Kind.allCases) func everyWriteMayFailOnce(_ kind: Kind) throws {
    var kth = 0
    var fired = 1
    while fired > 0 {
      kth += 1
      let base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
      let error = StudyError(.diskFull, "full")
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
      try cluster.run()
      #expect(cluster.finish == .budget, "write \(kth)")
      #expect(cluster.fatal == nil, "write \(kth)")
      #expect(try cluster.findings() == [], "write \(kth)")
      fired = store.fired
    }
    #expect(kth > 25)
  }

  @Test func aFullDiskPausesAndNothingIsAcknowledgedUntilThereIsRoom() throws {
    let base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
    let store = FaultyStore(base) { (20..<60).contains($0) ? .fail(StudyError(.diskFull, "full")) : nil }
    var cluster = try StraightCluster(store: store, budget: 6)
    try cluster.run()
    #expect(store.fired == 40)
    #expect(cluster.finish == .budget)
    #expect(try cluster.findings() == [])
  }

  @Test func aBrokenDatabaseEndsTheRun() throws {
    let base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
    let store = FaultyStore(base) { $0 > 12 ? .fail(StudyError(.corrupt, "broken")) : nil }
    var cluster = try StraightCluster(store: store, budget: 6)
    try cluster.run()
    #expect(cluster.fatal?.code == .corrupt)
    #expect(cluster.finish == nil)
  }
}
