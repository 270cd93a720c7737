import BayesianOptimization
import Study
import TestSupport
import Testing

@Suite(.bounded) struct BudgetTests {
  @Test func theBudgetIsExactAndTheAnchorStandsOutside() throws {
    var study = try StudyFixture(budget: 3)
    #expect(study.state.proposalsLeft == 3)
    var trials = [0]
    for index in 1...3 { trials.append(try study.enqueue(index)) }
    #expect(study.state.proposalsLeft == 0)
    for trial in trials.dropFirst() { _ = try study.complete(study.leaseAndStart(trial), loss: Double(trial)) }
    #expect(study.state.header.stopReason == nil)
    _ = try study.complete(study.leaseAndStart(0), loss: 9)
    #expect(study.state.header.stopReason == .budget)
    #expect(study.state.finishedCount == 3)
    #expect(try study.findings(expectsEnd: true) == [])
  }

  @Test func aRaisedBudgetGoesOnAndALoweredOneStops() throws {
    var study = try StudyFixture(budget: 1)
    _ = try study.complete(study.leaseAndStart(0), loss: 9)
    _ = try study.complete(study.leaseAndStart(study.enqueue(1)), loss: 1)
    #expect(study.state.header.stopReason == .budget)
    try study.take(study.state.open(budget: 2, time: 0))
    #expect(study.state.header.stopReason == nil)
    #expect(study.state.proposalsLeft == 1)
    try study.take(study.state.open(budget: 1, time: 0))
    #expect(study.state.header.stopReason == .budget)
    #expect(study.state.header.epoch == 2)
    #expect(try study.findings() == [])
  }

  @Test func aRunThatEndedByItsTimeLimitGoesOnWithTheNextRun() throws {
    var study = try StudyFixture(budget: 2)
    _ = try study.complete(study.leaseAndStart(0), loss: 9)
    try study.take(study.state.stop(.time, time: 0))
    try study.take(study.state.open(budget: 2, time: 0))
    #expect(study.state.header.stopReason == nil)
    #expect(study.state.proposalsLeft == 2)
    try study.take(study.state.stop(.failing, time: 0))
    try study.take(study.state.open(budget: 2, time: 0))
    #expect(study.state.header.stopReason == .failing)
    #expect(try study.findings() == [])
  }

  @Test func pauseHoldsNewAttemptsOnly() throws {
    var study = try StudyFixture()
    let token = try study.leaseAndStart(0)
    _ = try study.enqueue(1)
    try study.take(study.state.pause(time: 0))
    #expect(throws: StudyError.self) { try study.lease(1) }
    #expect(study.state.proposalsLeft == 0)
    _ = try study.complete(token, loss: 1)
    try study.take(study.state.resume(time: 0))
    _ = try study.lease(1)
    #expect(try study.findings() == [])
  }

  @Test func convergenceEndsTheStudy() throws {
    var policy = StudyFixture.policy
    policy.convergenceEpsilon = 0.01
    policy.convergenceWindow = 3
    var study = try StudyFixture(budget: 50, policy: policy)
    var index = 0
    while study.state.header.stopReason == nil && index < 20 {
      index += 1
      _ = try study.complete(study.leaseAndStart(study.enqueue(index)), loss: index < 5 ? 5 - Double(index) : 9)
    }
    #expect(study.state.header.stopReason == .converged)
    #expect(index == 7)
    #expect(try study.findings() == [])
  }

  @Test func duplicatesAreRefusedAndAttachedResultsCount() throws {
    var study = try StudyFixture(budget: 2)
    _ = try study.enqueue(1)
    #expect(throws: StudyError.self) { try study.enqueue(1) }
    let other = Configuration.memory(layers: [2], count: 1, rank: 8)
    let result = TrialResult(objectives: ["loss": 1, "rougeL": 0.5])
    try study.take(study.state.attach(configuration: other, key: "k2", result: result, time: 0))
    #expect(study.state.finishedCount == 1)
    #expect(study.state.front == [2])
    #expect(throws: StudyError.self) {
      try study.state.attach(
        configuration: .memory(layers: [3], count: 1, rank: 8), key: "k3",
        result: TrialResult(objectives: ["loss": 1]), time: 0)
    }
    #expect(try study.findings() == [])
  }
}
