import BayesianOptimization
import Study
import TestSupport
import Testing

@Suite(.bounded) struct FailurePolicyTests {
  @Test func preemptionIsNotCountedAndRunsAgain() throws {
    var study = try StudyFixture()
    for _ in 0..<10 {
      let token = try study.leaseAndStart(0)
      #expect(try study.fail(token, .preempted) == .accepted)
      #expect(study.state.trials[0].state == .queued)
    }
    #expect(study.state.trials[0].countedAttempts == 0)
    #expect(try study.findings() == [])
  }

  @Test func bugIsRetriedUpToThreeAttempts() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    for attempt in 1...3 {
      let token = try study.leaseAndStart(trial)
      #expect(try study.fail(token, .bug) == .accepted)
      #expect(study.state.trials[trial].state == (attempt < 3 ? .queued : .failed))
    }
    #expect(study.state.finishedCount == 1)
    try study.take(study.state.retry(trial: trial, time: 0))
    #expect(study.state.trials[trial].state == .queued)
    #expect(study.state.finishedCount == 0)
    #expect(try study.complete(study.leaseAndStart(trial), loss: 1) == .accepted)
    #expect(try study.findings() == [])
  }

  @Test func divergenceIsTerminalAlsoWhenReportedAsResult() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    let token = try study.leaseAndStart(trial)
    #expect(try study.complete(token, loss: .nan) == .accepted)
    #expect(study.state.trials[trial].state == .diverged)
    #expect(study.state.trials[trial].failure?.message.contains("loss") == true)
    #expect(try study.complete(token, loss: .nan) == .repeated)
    #expect(study.state.observations.last?.outcome == .failed)
    #expect(try study.findings() == [])
  }

  @Test func outOfMemoryGoesOnlyToLargerDevices() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    #expect(try study.fail(study.leaseAndStart(trial, bytes: 40), .outOfMemory, largest: 80) == .accepted)
    #expect(study.state.trials[trial].state == .queued)
    let small = WorkerIdentity(name: "s", incarnation: "1", deviceBytes: 40)
    let large = WorkerIdentity(name: "l", incarnation: "1", deviceBytes: 80)
    #expect(study.state.nextTrial(for: small, others: [large]) == 0)
    _ = try study.leaseAndStart(0)
    #expect(study.state.nextTrial(for: small, others: []) == nil)
    #expect(study.state.nextTrial(for: large, others: [small]) == trial)
    // Whether anybody here is large enough, and in words what it waits for.
    #expect(study.state.needsLargerDevice(trial: trial, than: [small]))
    #expect(!study.state.needsLargerDevice(trial: trial, than: [small, large]))
    #expect(!study.state.needsLargerDevice(trial: 0, than: [small]))
    #expect(study.state.trials[trial].memoryWait?.contains("more than 0 MiB of device memory") == true)
    #expect(study.state.trials[0].memoryWait == nil)
    #expect(try study.fail(study.leaseAndStart(trial, bytes: 80), .outOfMemory, largest: 80) == .accepted)
    #expect(study.state.trials[trial].state == .infeasible)
    #expect(study.state.observations.last?.outcome == .outOfMemory)
    #expect(try study.findings() == [])
  }

  @Test func hardwareFailuresAreRetriedElsewhereAndQuarantineTheWorker() throws {
    var study = try StudyFixture()
    for index in 1...3 {
      let trial = try study.enqueue(index)
      #expect(try study.fail(study.leaseAndStart(trial, worker: "bad"), .hardware) == .accepted)
      let bad = WorkerIdentity(name: "bad", incarnation: "1")
      if index < 3 {
        #expect(study.state.nextTrial(for: bad, others: [WorkerIdentity(name: "good", incarnation: "1")]) == 0)
        #expect(!study.state.header.quarantined.contains("bad"))
      }
    }
    #expect(study.state.header.quarantined == ["bad"])
    #expect(study.state.nextTrial(for: WorkerIdentity(name: "bad", incarnation: "1"), others: []) == nil)
    try study.take(study.state.reinstate(worker: "bad", time: 0))
    #expect(study.state.header.quarantined.isEmpty)
    #expect(try study.findings() == [])
  }

  @Test func aTrialThatFailedOnEveryWorkerThatIsHereIsGivenToThemAgain() throws {
    var study = try StudyFixture()
    _ = try study.leaseAndStart(0)
    let trial = try study.enqueue(1)
    let (first, second) = (
      WorkerIdentity(name: "first", incarnation: "1", deviceBytes: 80),
      WorkerIdentity(name: "second", incarnation: "1", deviceBytes: 80)
    )
    let small = WorkerIdentity(name: "small", incarnation: "1", deviceBytes: 40)
    #expect(
      try study.fail(study.leaseAndStart(trial, worker: "small", bytes: 40), .outOfMemory, largest: 80) == .accepted)
    #expect(try study.fail(study.leaseAndStart(trial, worker: "first"), .hardware) == .accepted)
    // The second could take it: the first leaves it; the small one can not, and does not count.
    #expect(study.state.nextTrial(for: first, others: [second, small]) == nil)
    #expect(study.state.nextTrial(for: second, others: [first, small]) == trial)
    #expect(study.state.nextTrial(for: first, others: [small]) == trial)
    #expect(study.state.nextTrial(for: small, others: [first]) == nil)
    #expect(try study.findings() == [])
  }

  @Test func aVanishedWorkerCountsOnlyOnceStarted() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    for _ in 0..<5 {
      let token = try study.lease(trial)
      try study.take(study.state.lose(token, .leaseExpired, time: 0))
    }
    for _ in 0..<5 {
      let token = try study.leaseAndStart(trial)
      try study.take(study.state.lose(token, .coordinatorRestarted, time: 0))
    }
    #expect(study.state.trials[trial].state == .queued)
    for _ in 0..<3 {
      let token = try study.leaseAndStart(trial)
      try study.take(study.state.lose(token, .leaseExpired, time: 0))
    }
    #expect(study.state.trials[trial].state == .failed)
    #expect(study.state.trials[trial].failure?.nextStep != nil)
    #expect(try study.findings() == [])
  }

  @Test func tooManyFailuresInARowStopTheStudy() throws {
    var policy = StudyFixture.policy
    policy.failingAfter = 4
    policy.maxCountedAttempts = 1
    var study = try StudyFixture(budget: 50, policy: policy)
    for index in 1...4 { #expect(try study.fail(study.leaseAndStart(study.enqueue(index)), .bug) == .accepted) }
    #expect(study.state.header.stopReason == .failing)
    #expect(try study.findings() == [])
  }
}
