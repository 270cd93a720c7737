import BayesianOptimization
import Study
import TestSupport
import Testing

@Suite("Fork", .ownThread, .bounded) struct StudyForkTests {
  private let definition = StudyDefinition(
    name: "wide", identifier: "w", seed: 5, objectives: StudyFixture.definition.objectives)

  /// A study with a base, three completed, one diverged, one infeasible, one failed, one abandoned, one running and
  /// one queued trial.
  private func source() throws -> StudyFixture {
    var study = try StudyFixture(budget: 20)
    _ = try study.complete(study.leaseAndStart(0), loss: 3, rouge: 0.1)
    for index in 1...8 { try study.enqueue(index) }
    for (trial, loss) in [(3, 1.0), (1, 2.0), (2, 1.5)] {
      let token = try study.leaseAndStart(trial)
      let result = TrialResult(
        objectives: ["loss": loss, "rougeL": 0.1 * Double(trial)], standardErrors: ["loss": 0.01 / 3],
        metrics: ["seconds": 2.5])
      try study.take(study.state.complete(token, result: result, time: 1).transition)
    }
    _ = try study.complete(study.leaseAndStart(4), loss: .nan)
    _ = try study.fail(study.leaseAndStart(5), .outOfMemory)
    for _ in 1...3 { _ = try study.fail(study.leaseAndStart(6), .bug) }
    try study.take(study.state.abandon(trial: 7, time: 2).transition)
    _ = try study.leaseAndStart(8)
    try study.enqueue(9)
    return study
  }

  private struct Outside: Error, CustomStringConvertible { let description = "outside the space" }

  private func fork(_ study: StudyFixture, budget: Int = 10, initial: Int = 4) throws -> StudyFork {
    try StudyFork(
      of: study.store.load(), as: definition, budget: budget, initial: initial, policy: StudyFixture.policy,
      base: (.memory(layers: [], count: 0, rank: 4), "null"),
      key: { configuration in
        guard case .memory(let layers, _, _) = configuration.content, layers != [2] else { throw Outside() }
        return "new-\(layers)"
      }, time: 7)
  }

  @Test func whatIsValidIsCarriedOverInOrderWithItsOrigin() throws {
    let study = try source()
    let before = try study.store.load()
    let fork = try fork(study)
    // The base first, then in the order in which the trials ended: 3, 1, 4 (diverged), 5 (infeasible).
    #expect(fork.carried.map(\.source) == [0, 3, 1, 4, 5])
    #expect(fork.carried.map(\.trial) == [0, 1, 2, 3, 4])
    #expect(fork.leftOut.map(\.source) == [2, 6, 7, 8, 9])
    #expect(fork.leftOut[0].reason == "outside the space")
    for carried in fork.carried {
      let (old, new) = (before.trials[carried.source], fork.state.trials[carried.trial])
      #expect(new.configuration == old.configuration || new.kind == .base)
      #expect(new.seed == old.seed && new.state == old.state && new.result == old.result)
      #expect(
        new.provenance.origin
          == TrialOrigin(study: "test", identifier: "t", trial: old.number, source: old.provenance.source))
    }
    #expect(fork.state.finishedCount == 4 && fork.state.proposalsLeft == 6)
    // Four observations stand for the whole initial design.
    #expect(fork.transition.header.nextProposal == 4)
    #expect(try study.store.load() == before)
  }

  @Test func theNewStudyIsSoundAndGoesOn() throws {
    let fork = try fork(source())
    let store = InMemoryStudyStore(definition: definition, budget: 10)
    try store.commit(fork.transition)
    #expect(try HistoryChecker(policy: StudyFixture.policy).check(store) == [])
    var state = StudyState(record: try store.load(), policy: StudyFixture.policy)
    #expect(state.header.referencePoint == ["loss": 10, "rougeL": -1])
    #expect(state.front == [1])
    #expect(state.observations.map(\.outcome) == [.completed, .completed, .completed, .failed, .outOfMemory])
    let opened = state.open(budget: 10, time: 8)
    try store.commit(opened)
    state.apply(opened)
    #expect(state.header.stopReason == nil)
    let known = state.trials[1]
    #expect(throws: StudyError.self) {
      try state.enqueue(
        .search, configuration: known.configuration, key: known.configurationKey,
        provenance: Provenance(source: "nehvi", eventNumber: 0), time: 9)
    }
  }

  @Test func aSpentBudgetEndsTheForkAndMoreBudgetContinuesIt() throws {
    let fork = try fork(source(), budget: 3)
    #expect(fork.state.header.stopReason == .budget)
    #expect(fork.state.finishedCount == 4)
    let reopened = fork.state.open(budget: 9, time: 8)
    #expect(reopened.header.stopReason == nil)
  }

  @Test func anotherObjectiveIsTakenFromTheMetrics() throws {
    let study = try source()
    var other = definition
    other.objectives = [
      Objective(name: "loss", direction: .minimize), Objective(name: "seconds", direction: .minimize),
    ]
    var policy = StudyFixture.policy
    policy.referencePoint = { _ in nil }
    let fork = try StudyFork(
      of: study.store.load(), as: other, budget: 10, initial: 0, policy: policy, base: nil,
      key: { "\($0)" }, time: 0)
    let trial = try #require(fork.carried.first { $0.source == 3 })
    let result = try #require(fork.state.trials[trial.trial].result)
    #expect(result.objectives == ["loss": 1, "seconds": 2.5])
    #expect(result.metrics?["rougeL"] != nil && result.standardErrors?.keys.sorted() == ["loss"])
    other.objectives[1].name = "personaF1"
    let none = try StudyFork(
      of: study.store.load(), as: other, budget: 10, initial: 0, policy: policy, base: nil,
      key: { "\($0)" }, time: 0)
    #expect(none.leftOut.contains { $0.source == 3 && $0.reason.contains("personaF1") })
  }
}
