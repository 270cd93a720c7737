import BayesianOptimization
import Study
import StudyTesting
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// Proposals that came while the disk was full: found by R12, where a study of idle workers stood still for ever.
@Suite(.ownThread, .bounded) struct HeldProposalTests {
  private static func hello(_ name: String) -> Hello {
    Hello(
      worker: name, incarnation: "1", study: "toy", build: "b", fingerprints: Fingerprints([:]), host: "h",
      device: "cpu", pid: 1, capabilities: Capabilities(memoryBytes: 1 << 34, cores: 1, evaluator: "analytic"))
  }

  /// The answers of a row come together or one by one; of the row's commits the first `succeeding` are stored.
  @Test(arguments: [false, true], 0...2)
  func aRowOfAnswersOnAFullDiskIsNotForgotten(isBatch: Bool, succeeding: Int) throws {
    let store = FaultyStore(InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: 6)) { _ in nil }
    var core = try CoordinatorCore(
      settings: CoordinatorSettings(build: "b", budget: 6, lease: .seconds(60)), store: store,
      policy: ToyEvaluation.policy, sessionName: "s", key: ToySampler.key, now: .zero, wallTime: 0)
    var tasks: [ProposalTask] = []
    // An assignment that nobody accepts is sent again.
    var assigned: Set<AttemptToken> = []
    func carryOut(_ actions: [CoordinatorCore.Action]) {
      for action in actions {
        if case .propose(let task) = action { tasks.append(task) }
        if case .send(_, let envelope) = action, case .assign(let assignment) = envelope.message {
          assigned.insert(assignment.attempt)
        }
      }
    }
    carryOut(core.begin())
    for index in 0..<3 {
      let peer = Peer(id: [UInt8(index)])
      let hello = Envelope(id: 1, message: .hello(Self.hello("w\(index)")))
      carryOut(core.handle(.received(peer, hello), now: .seconds(1), wallTime: 1))
      carryOut(core.handle(.received(peer, Envelope(id: 2, message: .ready)), now: .seconds(1), wallTime: 1))
    }
    let task = try #require(tasks.first)
    let row = task.answered(by: ToySampler().proposals(task.request, count: 3))
    let events = row.map { CoordinatorCore.Event.proposed($0.task, $0.outcome) }
    // One commit more where a batch is tried together first; each stored proposal is leased with one of its own.
    let last = store.commits + (isBatch ? 1 : 0) + 2 * succeeding
    let first = store.commits + 1
    store.replan { isBatch && $0 == first || $0 > last ? .fail(StudyError(.diskFull, "full")) : nil }
    if isBatch {
      carryOut(core.handle(events, now: .seconds(2), wallTime: 2))
    } else {
      for event in events { carryOut(core.handle(event, now: .seconds(2), wallTime: 2)) }
    }
    #expect(store.fired > 0)
    #expect(core.trouble != nil)
    #expect(assigned.count == succeeding)
    // There is room again.
    store.replan { _ in nil }
    var answered = 1
    for second in 3..<10 {
      carryOut(core.handle(.clock, now: .seconds(second), wallTime: Double(second)))
      while answered < tasks.count {
        let task = tasks[answered]
        answered += 1
        let outcome = ToySampler().propose(task.request)
        carryOut(core.handle(.proposed(task, outcome), now: .seconds(second), wallTime: Double(second)))
      }
    }
    #expect(core.trouble == nil)
    #expect(assigned.count == 3, "every idle worker gets a trial")
  }
}
