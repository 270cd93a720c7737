import BayesianOptimization
import Study
import TestSupport
import Testing

@Suite(.bounded) struct AttemptTests {
  @Test func aResultIsIdempotentAndAContradictionIsRefusedAndRecorded() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    let token = try study.leaseAndStart(trial)
    #expect(try study.complete(token, loss: 1) == .accepted)
    let events = study.state.header.lastEvent
    #expect(try study.complete(token, loss: 1) == .repeated)
    #expect(study.state.header.lastEvent == events)
    guard case .refused = try study.complete(token, loss: 2) else { return #expect(Bool(false)) }
    #expect(study.state.trials[trial].result?.objectives["loss"] == 1)
    #expect(study.state.trials[trial].attempts[0].hasConflict)
    guard case .conflictRefused = try study.store.events(after: events, limit: 1).first?.kind else {
      return #expect(Bool(false))
    }
    #expect(try study.findings() == [])
  }

  @Test func aLateResultCountsWhileTheTrialIsOpenAndIsKeptOtherwise() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    let first = try study.leaseAndStart(trial)
    try study.take(study.state.lose(first, .leaseExpired, time: 0))
    #expect(try study.complete(first, loss: 1) == .accepted)
    #expect(study.state.trials[trial].state == .completed)

    let other = try study.enqueue(2)
    let slow = try study.leaseAndStart(other, worker: "slow")
    try study.take(study.state.lose(slow, .leaseExpired, time: 0))
    let quick = try study.leaseAndStart(other, worker: "quick")
    #expect(try study.complete(slow, loss: 3) == .superseded)
    #expect(try study.complete(quick, loss: 4) == .accepted)
    #expect(try study.complete(slow, loss: 3) == .superseded)
    #expect(study.state.trials[other].result?.objectives["loss"] == 4)
    #expect(study.state.trials[other].attempts[0].result?.objectives["loss"] == 3)
    #expect(try study.findings() == [])
  }

  @Test func aReturningWorkerGoesOnUnlessTheTrialHasMovedOn() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    let token = try study.leaseAndStart(trial)
    try study.take(study.state.lose(token, .coordinatorRestarted, time: 0))
    let worker = WorkerIdentity(name: "w", incarnation: "2")
    let step = try study.state.readopt(token, worker: worker, time: 0)
    try study.take(#require(step))
    #expect(study.state.trials[trial].liveAttempt?.token == token)
    try study.take(study.state.lose(token, .leaseExpired, time: 0))
    _ = try study.leaseAndStart(trial, worker: "v")
    #expect(try study.state.readopt(token, worker: worker, time: 0) == nil)
    #expect(try study.findings() == [])
  }

  @Test func unknownTokensAndTrialsAreNamed() throws {
    var study = try StudyFixture()
    #expect(throws: StudyError.self) { try study.complete(AttemptToken(99), loss: 1) }
    #expect(throws: StudyError.self) { try study.lease(7) }
    _ = try study.lease(0)
    #expect(throws: StudyError.self) { try study.lease(0) }
  }

  @Test func abandoningCancelsAndIsNotCounted() throws {
    var study = try StudyFixture()
    let trial = try study.enqueue(1)
    let token = try study.leaseAndStart(trial)
    let (step, cancelled) = try study.state.abandon(trial: trial, time: 0)
    try study.take(step)
    #expect(cancelled == token)
    #expect(study.state.finishedCount == 0)
    #expect(study.state.pendingTrials.contains(trial))
    #expect(try study.complete(token, loss: 1) == .superseded)
    #expect(study.state.trials[trial].state == .abandoned)
    #expect(try study.findings() == [])
  }
}
