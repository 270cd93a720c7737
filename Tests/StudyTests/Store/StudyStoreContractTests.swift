import Study
import StudyTesting
import TestSupport
import Testing

@Suite(.bounded) struct InMemoryStoreContractTests {
  @Test(arguments: StudyStoreContract.checks.indices)
  func holds(_ index: Int) throws {
    let store = InMemoryStudyStore(definition: StudyStoreContract.definition, budget: 10)
    try StudyStoreContract.run(StudyStoreContract.checks[index], on: store)
  }

  @Test(arguments: StudyStoreContract.checks.indices)
  func aFaultyStoreWithoutFaultsHolds(_ index: Int) throws {
    let base = InMemoryStudyStore(definition: StudyStoreContract.definition, budget: 10)
    let store = FaultyStore(base) { _ in nil }
    try StudyStoreContract.run(StudyStoreContract.checks[index], on: store)
    #expect(store.fired == 0)
  }

  @Test func plannedFaultsFire() throws {
    let base = InMemoryStudyStore(definition: StudyStoreContract.definition, budget: 10)
    let full = StudyError(.diskFull, "full")
    let store = FaultyStore(base) { $0 == 1 ? .fail(full) : $0 == 2 ? .executeAndFail(full) : nil }
    let state = StudyState(record: try store.load())
    let step = state.create(base: nil, time: 0)
    #expect(throws: full) { try store.commit(step) }
    #expect(try store.lastEventNumber() == 0)
    #expect(throws: full) { try store.commit(step) }
    #expect(try store.lastEventNumber() == 1)
    #expect(store.fired == 2)
  }
}
