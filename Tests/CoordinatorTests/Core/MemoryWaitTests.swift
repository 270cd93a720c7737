import SessionTesting
import Study
import TestSupport
import Testing
import WireProtocol

@testable import Coordinator

/// A trial that needs more memory than any worker here has: it waits, and the log says so.
@Suite(.ownThread, .bounded) struct MemoryWaitTests {
  /// A coordinator and workers over a perfect network; worker 0 has 16 GiB, worker 1 has 32.
  private final class Cluster {
    var core: CoordinatorCore
    var workers: [SimulatedWorker]
    var warnings: [String] = []
    private let sampler = ToySampler()
    private var now: Duration = .zero

    init(store: any StudyStore) throws {
      workers = (0..<2).map { SimulatedWorker($0, heartbeat: .seconds(5)) }
      var settings = CoordinatorSettings(build: "b", budget: 6, heartbeat: .seconds(5))
      settings.lease = .seconds(60)
      core = try CoordinatorCore(
        settings: settings, store: store, policy: ToyEvaluation.policy, sessionName: "s", key: ToySampler.key, now: now,
        wallTime: 0)
      take(core.begin())
    }

    func feed(_ event: WorkerSession.Event, _ index: Int) {
      for action in workers[index].session.handle(event, now: now) {
        switch action {
        case .send(let envelope): take(core.handle(.received(workers[index].peer, envelope), now: now, wallTime: 0))
        case .execute(let assignment):
          workers[index].training = assignment
          feed(.started(assignment.attempt), index)
        case .interrupt(let token, let reason):
          feed(.finished(.released(ReleaseReport(attempt: token, reason: reason))), index)
        default: break
        }
      }
    }

    private func take(_ actions: [CoordinatorCore.Action]) {
      for action in actions {
        switch action {
        case .send(let peer, let envelope):
          if let index = workers.firstIndex(where: { $0.peer == peer }) { feed(.received(envelope), index) }
        case .propose(let task):
          take(core.handle(.proposed(task, sampler.propose(task.request)), now: now, wallTime: 0))
        case .note(let note): if note.level == .warning { warnings.append(note.text) }
        default: break
        }
      }
    }

    func come(_ index: Int) {
      feed(.clock, index)
      feed(.evaluatorReady, index)
    }

    func fail(_ index: Int) throws {
      let assignment = try #require(workers[index].training)
      workers[index].training = nil
      let record = FailureRecord(
        failureClass: .outOfMemory, message: "too large", deviceBytes: Int64(1 + index) << 34, nextStep: nil)
      feed(.finished(.failure(FailureReport(attempt: assignment.attempt, started: true, record: record))), index)
    }

    func complete(_ index: Int) throws {
      let assignment = try #require(workers[index].training)
      workers[index].training = nil
      let result = ToyEvaluation.result(assignment.configuration, seed: assignment.seed)
      feed(.finished(.result(ResultReport(attempt: assignment.attempt, result: result))), index)
    }

    func tick() {
      now += .seconds(1)
      take(core.handle(.clock, now: now, wallTime: 0))
    }

    /// Warnings that speak of a trial which waits.
    var waits: [String] { warnings.filter { $0.contains("waits for a worker") } }
  }

  @Test func aTrialThatNobodyHereHasTheMemoryForIsSpokenOf() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 6)
    let cluster = try Cluster(store: store)
    cluster.come(1)
    cluster.come(0)
    cluster.tick()
    let number = try #require(cluster.workers[0].training?.trial)
    try cluster.fail(0)
    #expect(cluster.core.state.trials[number].state == .queued)
    #expect(cluster.core.state.trials[number].needsMoreThanBytes == 1 << 34)
    cluster.tick()
    #expect(cluster.waits.isEmpty, "worker 1 will take it")
    // The large one leaves: said once, however long it lasts, and by `study show` and `trial show` too.
    cluster.feed(.stop("SIGTERM"), 1)
    for _ in 0..<30 { cluster.tick() }
    let text = """
      trial \(number) ran out of memory and waits for a worker with more than 16 GiB of device memory (start one, or give \
      the trial up: engram trial abandon \(number))
      """
    #expect(cluster.core.state.trials[number].memoryWait == text)
    #expect(cluster.waits == [text + ", which no connected worker has"])
    // The small one goes on with others meanwhile.
    let other = try #require(cluster.workers[0].training?.trial)
    #expect(other != number)
    // A large one takes it; another that does not fit anywhere ends as infeasible instead of waiting.
    cluster.workers[1].start(at: .seconds(31), heartbeat: .seconds(5))
    cluster.come(1)
    cluster.tick()
    if cluster.workers[1].training?.trial != number { try cluster.complete(1) }  // the trial that it had given back
    #expect(cluster.workers[1].training?.trial == number)
    try cluster.fail(1)
    #expect(cluster.core.state.trials[number].state == .infeasible)
    #expect(cluster.core.state.trials[number].memoryWait == nil)
    cluster.tick()
    #expect(cluster.waits.count == 1)
    #expect(cluster.core.state.observations.last?.outcome == .outOfMemory)
  }
}
