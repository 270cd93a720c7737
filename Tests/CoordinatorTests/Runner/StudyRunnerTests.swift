import BayesianOptimization
import Foundation
import SessionTesting
import Study
import StudyDatabase
import TestSupport
import Testing
import WireProtocol

@testable import Coordinator
@testable import Transport

/// The whole runner over the in-memory network and a real database, with workers that compute at once.
@Suite(.timeLimit(.minutes(5)), .bounded) struct StudyRunnerTests {
  private static func settings(budget: Int) -> CoordinatorSettings {
    CoordinatorSettings(
      build: "b", budget: budget, heartbeat: .milliseconds(50), lease: .seconds(2), resend: .milliseconds(200),
      presumesWorkersGone: true, base: .memory(layers: [], count: 0, rank: 8))
  }

  private static func makeRunner(
    _ folder: StudyFolder, budget: Int, network: InMemoryNetwork
  ) throws -> (StudyRunner, SQLiteStudyStore) {
    let store = try SQLiteStudyStore(folder, beginning: (ToyEvaluation.definition(seed: 3), budget))
    let runner = try StudyRunner(
      settings: settings(budget: budget), store: store, sampler: ToySampler(), policy: ToyEvaluation.policy,
      key: ToySampler.key, transport: network.listen())
    return (runner, store)
  }

  /// A worker that evaluates at once; ends when it is drained.
  private static func work(
    _ network: InMemoryNetwork, name: Int, pause: Duration = .zero, device: DeviceStatus? = nil
  ) async {
    let client = network.connect(identity: "w\(name)-\(UUID().uuidString)")
    let clock = ContinuousClock()
    let start = clock.now
    var worker = SimulatedWorker(name, heartbeat: .milliseconds(50))
    worker.session.settings.helloInterval = .milliseconds(50)
    worker.session.settings.submissionInterval = .milliseconds(100)
    let codec = MessageCodec()
    let ticker = Task {
      while !Task.isCancelled {
        try? await Task.sleep(for: .milliseconds(20))
        client.events.put(.undeliverable, cost: 0)
      }
    }
    defer { ticker.cancel() }
    var events: [WorkerSession.Event] = [.clock, .device(device), .evaluatorReady]
    for await incoming in client.events {
      if case .message(let frames) = incoming, let envelope = try? codec.decode(frames, from: .coordinator) {
        events.append(.received(envelope))
      }
      events.append(.clock)
      while !events.isEmpty {
        let event = events.removeFirst()
        for action in worker.session.handle(event, now: clock.now - start) {
          switch action {
          case .send(let envelope): client.send(codec.encode(envelope))
          case .execute(let assignment):
            if pause > .zero { try? await Task.sleep(for: pause) }
            let result = ToyEvaluation.result(assignment.configuration, seed: assignment.seed)
            events.append(.started(assignment.attempt))
            events.append(.finished(.result(ResultReport(attempt: assignment.attempt, result: result))))
          case .leave: return client.close()
          default: break
          }
        }
      }
    }
  }

  /// Ends a worker whose coordinator has gone.
  ///
  /// It leaves by itself when it hears of the end in time; whether it does is
  /// up to the threads that other tests leave it, so nobody waits for that.
  private static func end(_ worker: Task<Void, Never>) async {
    worker.cancel()
    await worker.value
  }

  @Test func aStudyRunsToItsBudgetAndGoesOnWithALargerOne() async throws {
    let folder = try TemporaryFolder()
    for (budget, isNew) in [(6, true), (10, false)] {
      let network = InMemoryNetwork()
      let (runner, store) = try Self.makeRunner(StudyFolder(folder.url), budget: budget, network: network)
      #expect(runner.found.isNew == isNew)
      let workers = (0..<3).map { index in Task { await Self.work(network, name: index) } }
      let snapshots = Task { await runner.progress.reduce(into: [ProgressSnapshot]()) { $0.append($1) } }
      let summary = try await runner.run()
      for worker in workers { await Self.end(worker) }
      #expect(summary.stopReason == .budget && summary.finished == budget)
      let last = await snapshots.value.last
      #expect(last?.finished == budget && last?.hypervolume != nil && last?.front.isEmpty == false)
      #expect(try HistoryChecker(policy: ToyEvaluation.policy, expectsEnd: true).check(store) == [])
      try store.close()
    }
  }

  /// While a coordinator runs, its folder tells who works; afterwards it does not.
  @Test func theRosterOfWorkers() async throws {
    let folder = try TemporaryFolder()
    let network = InMemoryNetwork()
    let (runner, store) = try Self.makeRunner(StudyFolder(folder.url), budget: 100, network: network)
    let device = DeviceStatus(name: "GPU", memoryBytes: 80, memoryUsedBytes: 3, utilizationPercent: 61)
    let worker = Task { await Self.work(network, name: 0, pause: .milliseconds(50), device: device) }
    let run = Task { try await runner.run() }
    let mailbox = ControlMailbox(StudyFolder(folder.url))
    var roster: WorkerRoster?
    for _ in 0..<1500 where roster?.workers.first?.status == nil {
      try await Task.sleep(for: .milliseconds(20))
      roster = mailbox.roster(now: Date().timeIntervalSince1970)
    }
    #expect(roster?.workers.count == 1)
    #expect(roster?.workers.first?.status == device)
    #expect(mailbox.roster(now: Date().timeIntervalSince1970 + 60) == nil, "an old roster means nothing")
    run.cancel()
    _ = try await run.value
    await Self.end(worker)
    #expect(mailbox.roster(now: Date().timeIntervalSince1970) == nil)
    try store.close()
  }

  @Test("an idle coordinator stops within a heartbeat when its database is gone", .timeLimit(.minutes(2)))
  func theDatabaseIsTakenAway() async throws {
    let parent = try TemporaryFolder()
    let study = StudyFolder(parent.url.appendingPathComponent("s", isDirectory: true))
    let (runner, store) = try Self.makeRunner(study, budget: 4, network: InMemoryNetwork())
    let run = Task { try await runner.run() }
    try await Task.sleep(for: .milliseconds(100))
    try FileManager.default.removeItem(at: study.database)
    await #expect { _ = try await run.value } throws: { error in
      (error as? StudyError)?.code == .vanished && "\(error)".contains("was copied to")
    }
    try store.close()
  }

  @Test func aStoppedStudyGivesItsTrialsBackAndGoesOn() async throws {
    let folder = try TemporaryFolder()
    do {
      let network = InMemoryNetwork()
      let (runner, store) = try Self.makeRunner(StudyFolder(folder.url), budget: 8, network: network)
      let worker = Task { await Self.work(network, name: 0, pause: .milliseconds(30)) }
      let run = Task { try await runner.run() }
      for _ in 0..<12_000 where await runner.state.finishedCount < 3 { try await Task.sleep(for: .milliseconds(5)) }
      try #require(await runner.state.finishedCount >= 3, "three trials in a minute")
      run.cancel()
      let summary = try await run.value
      await Self.end(worker)
      #expect(summary.stopReason == nil && summary.finished >= 3)
      try store.close()
    }
    let network = InMemoryNetwork()
    let (runner, store) = try Self.makeRunner(StudyFolder(folder.url), budget: 8, network: network)
    #expect(runner.found.finished >= 3)
    let worker = Task { await Self.work(network, name: 0) }
    #expect(try await runner.run().finished == 8)
    await Self.end(worker)
    #expect(try HistoryChecker(policy: ToyEvaluation.policy, expectsEnd: true).check(store) == [])
  }

  @Test func aRunningStudyIsSteeredThroughItsFolder() async throws {
    let folder = try TemporaryFolder()
    let study = StudyFolder(folder.url)
    let network = InMemoryNetwork()
    let (runner, _) = try Self.makeRunner(study, budget: 4, network: network)
    let run = Task { try await runner.run() }
    // Other tests may hold the few threads on which the runner's actor gets its turn.
    let control = StudyControl(
      study, sampler: ToySampler(), policy: ToyEvaluation.policy, key: ToySampler.key, patience: 300)
    func steer(_ command: SteeringCommand) async throws -> SteeringReply {
      try await OwnThread.run { try control.carryOut(command) }
    }
    _ = try await steer(.pause)
    let worker = Task { await Self.work(network, name: 0) }
    let extra = Configuration.memory(layers: [7], count: 6, rank: 8)
    let result = TrialResult(objectives: ["loss": 0, "rougeL": 1])
    let attached = try await steer(.attach(configuration: extra, result: result))
    #expect(attached.trial?.state == .completed)
    await #expect(throws: StudyError.self) { try await steer(.attach(configuration: extra, result: result)) }
    await #expect(throws: StudyError.self) { try await steer(.retry(trial: 1)) }
    _ = try await steer(.resume)
    let summary = try await run.value
    await Self.end(worker)
    #expect(summary.stopReason == .budget && summary.finished == 4)
  }

  @Test(.ownThread) func askAndTellWorkWithoutACoordinator() throws {
    let folder = try TemporaryFolder()
    let study = StudyFolder(folder.url)
    do { _ = try SQLiteStudyStore(study, beginning: (ToyEvaluation.definition(seed: 3), 2)) }
    let control = StudyControl(study, sampler: ToySampler(), policy: ToyEvaluation.policy, key: ToySampler.key)
    let first = try #require(try control.carryOut(.ask(worker: "me")).trial)
    let second = try #require(try control.carryOut(.ask(worker: "me")).trial)
    #expect(first.configurationKey != second.configurationKey)
    let token = try #require(first.liveAttempt?.token)
    let result = ToyEvaluation.result(first.configuration, seed: first.seed)
    #expect(try control.carryOut(.tell(token: token, result: result)).message == "accepted")
    #expect(try control.carryOut(.tell(token: token, result: result)).message == "repeated")
    #expect {
      try control.carryOut(.tell(token: token, result: TrialResult(objectives: ["loss": 1, "rougeL": 0])))
    } throws: { ($0 as? StudyError)?.code == .conflictingResult }
    #expect(try HistoryChecker(policy: ToyEvaluation.policy).check(StudyObserver(study)) == [])
  }
}
