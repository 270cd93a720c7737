import BayesianOptimization
import Study
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// A coordinator at work, spoken to message by message: proposals are answered at once, everything it says is kept.
struct Desk {
  var core: CoordinatorCore
  /// What it said to whom.
  var sent: [(peer: Peer, message: Message)] = []
  var notes: [CoordinatorCore.Note] = []
  var fatal: StudyError?
  var finish: StopReason?
  private var nextID: Int64 = 0

  init(
    _ store: any StudyStore, budget: Int = 6, policy: StudyPolicy = ToyEvaluation.policy, session: String = "s",
    at seconds: Double = 0, settings change: (inout CoordinatorSettings) -> Void = { _ in }
  ) throws {
    var settings = CoordinatorSettings(
      build: "b", budget: budget, heartbeat: .seconds(2), lease: .seconds(60), stall: .seconds(100_000))
    change(&settings)
    core = try CoordinatorCore(
      settings: settings, store: store, policy: policy, sessionName: session, key: ToySampler.key,
      now: .seconds(seconds),
      wallTime: seconds)
    take(core.begin(), at: seconds)
  }

  static func store(budget: Int = 6) -> InMemoryStudyStore {
    InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 1), budget: budget)
  }

  static func hello(_ name: String, _ incarnation: String = "1", host: String = "h") -> Hello {
    Hello(
      worker: name, incarnation: incarnation, study: "toy", build: "b", fingerprints: Fingerprints([:]), host: host,
      device: "cpu", pid: 7, capabilities: Capabilities(memoryBytes: 1 << 34, cores: 1, evaluator: "analytic"))
  }

  static func peer(_ id: UInt8, key: String? = nil) -> Peer {
    Peer(id: [id], identity: key.map { PeerIdentity(key: $0) })
  }

  mutating func handle(_ event: CoordinatorCore.Event, at seconds: Double) {
    take(core.handle(event, now: .seconds(seconds), wallTime: seconds), at: seconds)
  }

  mutating func receive(_ message: Message, from peer: Peer, at seconds: Double) {
    nextID += 1
    handle(.received(peer, Envelope(id: nextID, message: message)), at: seconds)
  }

  /// Says hello and asks for a trial.
  mutating func come(_ hello: Hello, _ peer: Peer, at seconds: Double) {
    receive(.hello(hello), from: peer, at: seconds)
    receive(.ready, from: peer, at: seconds)
  }

  mutating func start(_ peer: Peer, at seconds: Double) throws -> AttemptToken {
    let token = try #require(assigned(peer), "nothing was assigned")
    receive(.start(AttemptReference(attempt: token)), from: peer, at: seconds)
    return token
  }

  mutating func complete(_ peer: Peer, _ token: AttemptToken, loss: Double = 1, at seconds: Double) {
    let result = TrialResult(objectives: ["loss": loss, "rougeL": 0.5])
    receive(.result(ResultReport(attempt: token, result: result)), from: peer, at: seconds)
  }

  mutating func fail(_ peer: Peer, _ token: AttemptToken, _ failureClass: FailureClass = .bug, at seconds: Double) {
    let record = FailureRecord(failureClass: failureClass, message: "no module named x", logLines: ["last", "words"])
    receive(.failure(FailureReport(attempt: token, started: true, record: record)), from: peer, at: seconds)
  }

  /// The newest attempt that was assigned to a connection.
  func assigned(_ peer: Peer) -> AttemptToken? {
    for case .assign(let assignment) in sent.filter({ $0.peer == peer }).map(\.message).reversed() {
      return assignment.attempt
    }
    return nil
  }

  func refusals(_ peer: Peer) -> [Refusal] {
    sent.filter { $0.peer == peer }.compactMap { if case .refused(let refusal) = $0.message { refusal } else { nil } }
  }

  func isWelcome(_ peer: Peer) -> Bool {
    sent.contains { entry in
      guard entry.peer == peer, case .welcome = entry.message else { return false }
      return true
    }
  }

  /// Verdicts on outcomes; the acknowledgements of heartbeats and probes say `accepted` too.
  func verdicts(_ peer: Peer) -> [Acknowledgement.Verdict] {
    sent.filter { $0.peer == peer }.compactMap { if case .ack(let ack) = $0.message { ack.verdict } else { nil } }
  }

  func state(_ token: AttemptToken) -> AttemptState? { core.state.attempt(token)?.attempt.state }

  func said(_ text: String) -> Bool { notes.contains { $0.text.contains(text) } }

  private mutating func take(_ actions: [CoordinatorCore.Action], at seconds: Double) {
    for action in actions {
      switch action {
      case .send(let peer, let envelope): sent.append((peer, envelope.message))
      case .propose(let task): handle(.proposed(task, ToySampler().propose(task.request)), at: seconds)
      case .note(let note): notes.append(note)
      case .fatal(let error): fatal = error
      case .finished(let reason): finish = reason
      case .store, .disconnect: break
      }
    }
  }
}
