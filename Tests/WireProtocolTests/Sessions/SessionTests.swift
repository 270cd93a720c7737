import SessionTesting
import Study
import TestSupport
import Testing

@testable import WireProtocol

@Suite(.ownThread, .bounded) struct SessionTests {
  @Test func aQuietNetworkRunsEveryTrialOnce() {
    var pair = SessionPair(trials: 5)
    pair.run(.seconds(60))
    #expect(pair.finishedTrials == Set(0..<5))
    #expect(pair.executions.values.allSatisfy { $0 == 1 })
    #expect(pair.kept.isEmpty)
    #expect(pair.worker.phase == .idle)
    #expect(pair.renewals > 0)
  }

  @Test(arguments: 1...40)
  func aLossyNetworkAndRestartsLoseNothing(seed: Int) {
    var pair = SessionPair(seed: UInt64(seed), trials: 6)
    pair.loss = 0.2
    pair.duplication = 0.2
    pair.storeFails = 0.3
    var faults = 0
    for round in 0..<12 {
      pair.run(.seconds(2 + pair.stream.integer(below: 6)))
      switch (round + seed) % 4 {
      case 0: pair.restartCoordinator()
      case 1: pair.restartWorker()
      case 2: pair.isPartitioned = true
      default: pair.isPartitioned = false
      }
      faults += 1
    }
    pair.isPartitioned = false
    pair.loss = 0
    pair.storeFails = 0
    pair.run(.seconds(200))
    #expect(faults == 12)
    #expect(pair.finishedTrials == Set(0..<6))
    #expect(pair.kept.isEmpty, "an acknowledged outcome is removed from the worker's file")
    // Nothing is executed twice under the same token, except after the worker itself was restarted.
    let results = pair.committed.values.filter { if case .result = $0 { true } else { false } }
    #expect(results.count == 6)
  }

  @Test func aResultIsKeptUntilItIsAcknowledgedAndSurvivesARestart() {
    var pair = SessionPair(trials: 1)
    pair.storeFails = 1
    pair.run(.seconds(20))
    #expect(pair.kept.count == 1)
    #expect(pair.committed.isEmpty)
    pair.restartWorker()
    pair.run(.seconds(10))
    #expect(pair.kept.count == 1)
    pair.storeFails = 0
    pair.run(.seconds(60))
    #expect(pair.committed.count == 1)
    #expect(pair.kept.isEmpty)
    #expect(pair.executions == [AttemptToken(1): 1])
  }

  @Test(arguments: 0..<4) func anOldSignOfLifeDoesNotMakeAWorkerBusyForEver(kind: Int) {
    let pair = SessionPair(trials: 0)
    var session = CoordinatorSession(settings: pair.settings, now: .zero)
    var id: Int64 = 0
    func receive(_ message: Message) -> [CoordinatorSession.Action] {
      id += 1
      return session.handle(.received(Envelope(id: id, message: message)), now: .zero)
    }
    _ = receive(.hello(SessionPair.hello()))
    _ = session.handle(.admit(continues: false), now: .zero)
    #expect(receive(.ready).contains(.idle))
    // Said twice, it is no news.
    #expect(!receive(.ready).contains(.idle))
    let token = AttemptToken(7)
    let late: [Message] = [
      .accepted(AttemptReference(attempt: token)), .start(AttemptReference(attempt: token)),
      .report(IntermediateReport(token: token, trial: 1, step: 1, values: [:])),
      .heartbeat(Heartbeat(phase: .running, attempt: token)),
    ]
    #expect(receive(late[kind]).contains(.renew(token)))
    // The coordinator believes it busy now: its next word has to be heard.
    #expect(receive(kind % 2 == 0 ? .ready : .heartbeat(Heartbeat(phase: .idle))).contains(.idle))
  }

  @Test func aPartitionShorterThanTheLeaseChangesNothing() {
    var pair = SessionPair(trials: 1)
    pair.duration = .seconds(30)
    pair.run(.seconds(5))
    pair.isPartitioned = true
    pair.run(.seconds(10))
    pair.isPartitioned = false
    pair.run(.seconds(60))
    #expect(pair.executions == [AttemptToken(1): 1])
    #expect(pair.finishedTrials == [0])
  }

  @Test func aSupersededAttemptIsStoppedAndItsOutcomeAcknowledged() {
    var pair = SessionPair(trials: 1)
    pair.duration = .seconds(100)
    pair.run(.seconds(5))
    let token = AttemptToken(1)
    #expect(pair.live == token)
    pair.isPartitioned = true
    pair.run(.seconds(30))
    #expect(pair.closures.contains(.silent))
    // The lease has expired; somebody else has the trial.
    pair.live = AttemptToken(500)
    pair.isPartitioned = false
    pair.run(.seconds(30))
    #expect(pair.executing == nil)
    #expect(pair.committed[token] == .released(ReleaseReport(attempt: token, reason: .cancelled)))
    #expect(pair.kept.isEmpty)
  }

  @Test func aStudyStartedOverDropsWhatBelongsToTheOldOne() {
    var pair = SessionPair(trials: 2)
    pair.storeFails = 1
    pair.run(.seconds(12))
    #expect(!pair.kept.isEmpty)
    pair.restartCoordinator(identifier: "id2")
    pair.storeFails = 0
    pair.queue = []
    pair.live = nil
    pair.run(.seconds(30))
    #expect(pair.committed.isEmpty)
    #expect(pair.kept.isEmpty)
    #expect(pair.executing == nil)
    #expect(pair.worker.phase == .idle)
  }

  @Test func fingerprintsThatDifferAreRefusedWithTheDifference() {
    var settings = SessionPair().settings
    settings.fingerprints.data = "other"
    var session = CoordinatorSession(settings: settings, now: .zero)
    let actions = session.handle(
      .received(Envelope(id: 1, message: .hello(SessionPair.hello()))), now: .zero)
    guard case .send(let envelope) = actions.first, case .refused(let refusal) = envelope.message else {
      Issue.record("not refused")
      return
    }
    #expect(refusal.code == .fingerprints)
    #expect(refusal.message.contains("data: worker has d, study has other"))
    var worker = WorkerSession(hello: SessionPair.hello())
    _ = worker.handle(.clock, now: .zero)
    let left = worker.handle(.received(Envelope(id: 1, message: .refused(refusal))), now: .zero)
    #expect(left.contains(.leave(.refused(refusal))))
  }

  @Test func theDeviceGoesWithTheHeartbeats() {
    let device = DeviceStatus(name: "GPU", memoryBytes: 80, utilizationPercent: 3)
    var pair = SessionPair(trials: 1)
    pair.duration = .seconds(100)
    pair.perform(pair.worker.handle(.device(device), now: pair.now))
    pair.run(.seconds(10))
    #expect(pair.devices.count > 1 && Set(pair.devices) == [device])
    #expect(pair.left == nil)
  }

  /// An older coordinator refuses the frame; the worker stays, and its heartbeats go on without the device.
  @Test func anOlderCoordinatorIsSparedTheDevice() throws {
    var worker = WorkerSession(hello: SessionPair.hello())
    _ = worker.handle(.device(DeviceStatus(name: "GPU", memoryBytes: 80)), now: .zero)
    _ = worker.handle(.clock, now: .zero)
    func devices(_ actions: [WorkerSession.Action]) -> [DeviceStatus?] {
      actions.compactMap { action in
        guard case .send(let envelope) = action, case .heartbeat(let heartbeat) = envelope.message else { return nil }
        return .some(heartbeat.device)
      }
    }
    let welcome = Welcome(
      study: "quick", studyIdentifier: "i", session: "s", heartbeatMilliseconds: 1000, leaseMilliseconds: 10_000)
    let first = devices(worker.handle(.received(Envelope(id: 1, message: .welcome(welcome))), now: .zero))
    #expect(first.count == 1 && first[0] != nil)
    let refusal = Refusal(.protocolVersion, "the frame is of protocol version 2, this build speaks 1")
    let second = worker.handle(.received(Envelope(id: 2, message: .refused(refusal))), now: .zero)
    #expect(devices(second) == [nil])
    #expect(worker.isConnected)
    #expect(devices(worker.handle(.clock, now: .seconds(2))) == [nil])
    // Refused once more, the version is not what is wrong with the device's word.
    let third = worker.handle(.received(Envelope(id: 3, message: .refused(refusal))), now: .seconds(2))
    #expect(third.contains(.leave(.refused(refusal))))
  }

  @Test func aSignalReleasesTheTrialAndTheWorkerLeaves() {
    var pair = SessionPair(trials: 1)
    pair.duration = .seconds(100)
    pair.run(.seconds(5))
    pair.perform(pair.worker.handle(.stop("SIGTERM"), now: pair.now))
    pair.run(.seconds(5))
    #expect(pair.committed[AttemptToken(1)] == .released(ReleaseReport(attempt: AttemptToken(1), reason: .preempted)))
    #expect(pair.left == .stopped("SIGTERM"))
  }

  @Test func drainingFinishesThePresentTrialAndTakesNoOther() {
    var pair = SessionPair(trials: 3)
    pair.run(.seconds(2))
    pair.perform(pair.coordinator.handle(.drain(Drain(immediately: false, reason: "done")), now: pair.now))
    pair.run(.seconds(20))
    #expect(pair.finishedTrials == [0])
    #expect(pair.left == .drained("done"))
  }

  @Test func manyMalformedFramesEndTheSession() {
    var session = CoordinatorSession(settings: SessionPair().settings, now: .zero)
    var closed = false
    for _ in 0..<100 {
      let actions = session.handle(.malformed(WireError(.notJSON, "x")), now: .zero)
      if actions.contains(.closed(.violations)) { closed = true }
    }
    #expect(closed)
    #expect(session.handle(.malformed(WireError(.notJSON, "x")), now: .zero).isEmpty)
  }

  @Test func aLateAssignmentOfAFinishedAttemptIsNotExecutedAgain() {
    var pair = SessionPair(trials: 1)
    pair.run(.seconds(20))
    let copy = Samples.assignment
    var late = copy
    late.attempt = AttemptToken(1)
    pair.perform(pair.worker.handle(.received(Envelope(id: 999, message: .assign(late))), now: pair.now))
    pair.run(.seconds(5))
    #expect(pair.executions == [AttemptToken(1): 1])
  }

  @Test func withoutAnAnswerTheWorkerConnectsAnewAndSaysSo() {
    var worker = WorkerSession(hello: SessionPair.hello())
    var hellos = 0
    var reconnects = 0
    var unanswered = 0
    var now: Duration = .zero
    while now < .seconds(300) {
      for action in worker.handle(.clock, now: now) {
        if case .send(let envelope) = action, case .hello = envelope.message { hellos += 1 }
        if action == .reconnect { reconnects += 1 }
        if case .unanswered = action { unanswered += 1 }
      }
      now += .milliseconds(100)
    }
    #expect(hellos > 15 && hellos < 60)
    #expect(reconnects >= 4)
    #expect(unanswered >= 4)
  }
}
