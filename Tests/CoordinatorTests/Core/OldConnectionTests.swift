import BayesianOptimization
import Study
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// What the fault tests with real processes found: late frames, garbage, standstills and results between a question to
/// the sampler and its answer.
@Suite(.ownThread, .bounded) struct OldConnectionTests {
  private static func core(_ store: any StudyStore, budget: Int = 6) throws -> CoordinatorCore {
    try CoordinatorCore(
      settings: CoordinatorSettings(build: "b", budget: budget, lease: .seconds(60)), store: store,
      policy: ToyEvaluation.policy, sessionName: "s", key: ToySampler.key, now: .zero, wallTime: 0)
  }

  private static let hello = Hello(
    worker: "w", incarnation: "1", study: "toy", build: "b", fingerprints: Fingerprints([:]), host: "h", device: "cpu",
    pid: 1, capabilities: Capabilities(memoryBytes: 1 << 34, cores: 1, evaluator: "analytic"))

  /// A coordinator at work: events go in, proposals are answered at once.
  private struct Desk {
    var core: CoordinatorCore
    var notes: [String] = []
    var assigned: AttemptToken?
    var asked: ProposalTask?
    var answers = true

    mutating func handle(_ event: CoordinatorCore.Event, at seconds: Int) {
      carryOut(core.handle(event, now: .seconds(seconds), wallTime: Double(seconds)), at: seconds)
    }

    mutating func carryOut(_ actions: [CoordinatorCore.Action], at seconds: Int) {
      for action in actions {
        switch action {
        case .note(let note): notes.append(note.text)
        case .send(_, let envelope):
          if case .assign(let assignment) = envelope.message { assigned = assignment.attempt }
        case .propose(let task):
          asked = task
          if answers { handle(.proposed(task, ToySampler().propose(task.request)), at: seconds) }
        case .store, .disconnect, .finished, .fatal: break
        }
      }
    }

    mutating func begin() { carryOut(core.begin(), at: 0) }
  }

  private static func begin(_ store: any StudyStore) throws -> Desk {
    var desk = Desk(core: try core(store))
    desk.begin()
    return desk
  }

  private static let first = Peer(id: [1])
  private static let second = Peer(id: [2])

  @Test func aHelloFromAnAbandonedConnectionChangesNothing() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: 6)
    var desk = try Self.begin(store)
    desk.handle(.received(Self.second, Envelope(id: 5, message: .hello(Self.hello))), at: 1)
    desk.handle(.received(Self.second, Envelope(id: 6, message: .ready)), at: 1)
    let token = try #require(desk.assigned)
    desk.handle(.received(Self.second, Envelope(id: 7, message: .start(AttemptReference(attempt: token)))), at: 1)
    // Said before the connection was made anew, read after it: the worker held nothing then.
    desk.handle(.received(Self.first, Envelope(id: 2, message: .hello(Self.hello))), at: 2)
    #expect(desk.core.state.attempt(token)?.attempt.state == .started)
    #expect(desk.core.workers["w"]?.peer == Self.second)
    // A newer one counts: the worker does not have the attempt any more.
    desk.handle(.received(Self.first, Envelope(id: 9, message: .hello(Self.hello))), at: 3)
    #expect(desk.core.state.attempt(token)?.attempt.state == .released)
  }

  @Test func anOutcomeOfAnotherWorkersAttemptIsRefused() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: 6)
    var desk = try Self.begin(store)
    desk.handle(.received(Self.first, Envelope(id: 1, message: .hello(Self.hello))), at: 1)
    desk.handle(.received(Self.first, Envelope(id: 2, message: .ready)), at: 1)
    let token = try #require(desk.assigned)
    var other = Self.hello
    other.worker = "liar"
    desk.handle(.received(Self.second, Envelope(id: 1, message: .hello(other))), at: 1)
    let lie = ResultReport(attempt: token, result: TrialResult(objectives: ["loss": 0, "rougeL": 1]))
    desk.handle(.received(Self.second, Envelope(id: 2, message: .result(lie))), at: 1)
    #expect(desk.core.state.attempt(token)?.attempt.state == .leased)
    #expect(desk.notes.contains { $0.contains("belongs to w") })
  }

  @Test func aStandstillIsSaid() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: 6)
    var desk = try Self.begin(store)
    desk.handle(.clock, at: 1)
    desk.handle(.clock, at: 100)
    #expect(desk.notes.contains { $0.contains("stood still") })
  }

  @Test func connectionsOfGarbageAreForgotten() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: 6)
    var desk = try Self.begin(store)
    for index in 0..<200 {
      for _ in 0..<20 {
        desk.handle(.malformed(Peer(id: [UInt8(index)]), WireError(.notJSON, "garbage")), at: 1)
      }
    }
    #expect(desk.core.sessions.count == 200)
    for second in 2..<70 { desk.handle(.clock, at: second) }
    #expect(desk.core.sessions.isEmpty)
  }

  /// R4: the process dies between a result and the proposal that was being computed before it.
  @Test func anInterruptedProposalIsAskedForAsItWas() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: 6)
    var desk = try Self.begin(store)
    desk.answers = false
    desk.asked = nil
    desk.handle(.received(Self.first, Envelope(id: 1, message: .hello(Self.hello))), at: 1)
    desk.handle(.received(Self.first, Envelope(id: 2, message: .ready)), at: 1)
    let (token, question) = (try #require(desk.assigned), try #require(desk.asked))
    desk.handle(.received(Self.first, Envelope(id: 3, message: .start(AttemptReference(attempt: token)))), at: 1)
    let result = ResultReport(attempt: token, result: TrialResult(objectives: ["loss": 1, "rougeL": 1]))
    desk.handle(.received(Self.first, Envelope(id: 4, message: .result(result))), at: 1)
    var restarted = Desk(core: try Self.core(store))
    restarted.begin()
    let again = try #require(restarted.asked)
    #expect(again.request.index == question.request.index && again.request.warmStart == question.request.warmStart)
    #expect(again.request.observations == question.request.observations)
    #expect(again.request.pending == question.request.pending)
    #expect(again.eventNumber == question.eventNumber && again.pending == question.pending)
    // What comes after it sees everything.
    #expect(restarted.core.state.observations.count == 1)
  }
}
