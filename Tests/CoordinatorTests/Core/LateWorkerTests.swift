import SessionTesting
import Study
import TestSupport
import Testing
import WireProtocol

@testable import Coordinator

/// A worker that was away when the study ended is told so, and its outcome is still taken.
@Suite(.ownThread, .bounded) struct LateWorkerTests {
  @Test(arguments: [false, true]) func aWorkerThatComesAfterTheEndIsSentHome(hasOutcome: Bool) throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 5), budget: 3)
    var cluster = try StraightCluster(store: store, budget: 3)
    try cluster.run()
    #expect(cluster.finish == .budget)
    // The coordinator is run again on the finished study, and the worker finds it.
    var core = try CoordinatorCore(
      settings: CoordinatorSettings(build: "b", budget: 3), store: store, policy: ToyEvaluation.policy,
      sessionName: "late", key: ToySampler.key, now: .zero, wallTime: 0)
    _ = core.begin()
    var worker = SimulatedWorker(1, heartbeat: .seconds(5))
    let token = try #require(store.load().trials.last?.attempts.last?.token)
    let late = Submission.released(ReleaseReport(attempt: token, reason: .preempted))
    if hasOutcome {
      worker.kept = [token: late]
      worker.studyIdentifier = "toy-5"
      worker.start(at: .zero, heartbeat: .seconds(5))
    }
    var toServer: [Envelope] = []
    var departure: WorkerSession.Departure?
    var forgotten: [AttemptToken] = []
    func feed(_ event: WorkerSession.Event) {
      for action in worker.session.handle(event, now: .zero) {
        switch action {
        case .send(let envelope): toServer.append(envelope)
        case .forget(let token, _): forgotten.append(token)
        case .leave(let why): departure = why
        default: break
        }
      }
    }
    feed(.clock)
    feed(.evaluatorReady)
    while !toServer.isEmpty {
      let events = toServer.map { CoordinatorCore.Event.received(worker.peer, $0) }
      toServer = []
      for case .send(_, let envelope) in core.handle(events, now: .zero, wallTime: 0) { feed(.received(envelope)) }
    }
    #expect(departure == .drained("the study has ended (budget)"))
    #expect(forgotten == (hasOutcome ? [token] : []))
    #expect(core.workers.isEmpty)
  }
}
