import BayesianOptimization
import Foundation
import SessionTesting
import Study
import Transport
import WireProtocol

@testable import Coordinator

/// One worker and a coordinator over a perfect network, step by step: what a fault changes is seen against it.
struct StraightCluster {
  let store: any StudyStore
  let sampler: any Sampler
  let budget: Int
  /// Proposals to hold ready.
  let lookahead: Int
  let policy: StudyPolicy
  let key: @Sendable (BayesianOptimization.Configuration) -> String
  /// Whether the coordinator is started anew before every proposal is computed.
  var restartsBeforeProposals = false
  /// Whether messages that wait together are handled as one batch.
  var isBatching = false
  private(set) var restarts = 0
  /// Most proposals that were answered at once.
  private(set) var longestRow = 0
  private(set) var acknowledged: [AttemptToken: TrialResult] = [:]
  private(set) var finish: StopReason?
  private(set) var fatal: StudyError?
  private var core: CoordinatorCore
  private var worker = SimulatedWorker(0, heartbeat: .seconds(5))
  private var now: Duration = .zero
  private var tasks: [ProposalTask] = []
  private var toServer: [Envelope] = []
  private var toWorker: [Envelope] = []

  init(
    store: any StudyStore, budget: Int, lookahead: Int = 1, sampler: any Sampler = ToySampler(),
    policy: StudyPolicy = ToyEvaluation.policy,
    key: @escaping @Sendable (BayesianOptimization.Configuration) -> String = ToySampler.key
  ) throws {
    self.store = store
    self.sampler = sampler
    self.budget = budget
    self.lookahead = lookahead
    self.policy = policy
    self.key = key
    core = try Self.open(store, budget, lookahead, policy, key, now: .zero)
  }

  private static func open(
    _ store: any StudyStore, _ budget: Int, _ lookahead: Int, _ policy: StudyPolicy,
    _ key: @escaping @Sendable (BayesianOptimization.Configuration) -> String, now: Duration
  ) throws -> CoordinatorCore {
    let settings = CoordinatorSettings(
      build: "b", budget: budget, heartbeat: .seconds(5), lookahead: lookahead,
      base: .memory(layers: [], count: 0, rank: 8),
      stall: .seconds(600))
    return try CoordinatorCore(
      settings: settings, store: store, policy: policy, sessionName: "s", key: key, now: now, wallTime: 0)
  }

  /// Runs to the end of the study, at most `limit` seconds of the cluster's own time.
  mutating func run(limit: Int = 100_000) throws {
    carryOut(core.begin())
    feed(.clock)
    feed(.evaluatorReady)
    while finish == nil && fatal == nil && now < .seconds(limit) {
      while !toServer.isEmpty || !toWorker.isEmpty {
        if isBatching, !toServer.isEmpty {
          let events = toServer.map { CoordinatorCore.Event.received(worker.peer, $0) }
          toServer = []
          carryOut(core.handle(events, now: now, wallTime: 0))
        } else if !toServer.isEmpty {
          carryOut(core.handle(.received(worker.peer, toServer.removeFirst()), now: now, wallTime: 0))
        }
        if !toWorker.isEmpty { feed(.received(toWorker.removeFirst())) }
      }
      try propose()
      train()
      now += .seconds(1)
      carryOut(core.handle(.clock, now: now, wallTime: 0))
      feed(.clock)
      if !worker.isUp {
        worker.start(at: .zero, heartbeat: .seconds(5))
        feed(.clock)
        feed(.evaluatorReady)
      }
    }
  }

  private mutating func propose() throws {
    guard !tasks.isEmpty else { return }
    if restartsBeforeProposals {
      restarts += 1
      tasks = []
      core = try Self.open(store, budget, lookahead, policy, key, now: now)
      carryOut(core.begin())
    }
    let task = tasks.removeFirst()
    guard isBatching else {
      return carryOut(core.handle(.proposed(task, sampler.propose(task.request)), now: now, wallTime: 0))
    }
    let row = task.answered(by: sampler.proposals(task.request, count: task.wanted))
    longestRow = max(longestRow, row.count)
    carryOut(core.handle(row.map { .proposed($0.task, $0.outcome) }, now: now, wallTime: 0))
  }

  private mutating func train() {
    guard let assignment = worker.training else { return }
    worker.training = nil
    feed(.started(assignment.attempt))
    let result = ToyEvaluation.result(assignment.configuration, seed: assignment.seed)
    feed(.finished(.result(ResultReport(attempt: assignment.attempt, result: result))))
  }

  private mutating func carryOut(_ actions: [CoordinatorCore.Action]) {
    for action in actions {
      switch action {
      case .send(_, let envelope): toWorker.append(envelope)
      case .propose(let task): tasks.append(task)
      case .finished(let reason): finish = reason
      case .fatal(let error): fatal = error
      case .store, .note, .disconnect: break
      }
    }
  }

  private mutating func feed(_ event: WorkerSession.Event) {
    for action in worker.session.handle(event, now: now) {
      switch action {
      case .send(let envelope): toServer.append(envelope)
      case .keep(let submission): worker.kept[submission.attempt] = submission
      case .forget(let token, let verdict):
        if case .result(let report) = worker.kept[token], verdict != .conflict { acknowledged[token] = report.result }
        worker.kept[token] = nil
      case .execute(let assignment): worker.training = assignment
      case .interrupt(let token, let reason):
        worker.training = nil
        feed(.finished(.released(ReleaseReport(attempt: token, reason: reason))))
      case .welcomed(let welcome): worker.studyIdentifier = welcome.studyIdentifier
      case .leave: worker.isUp = false
      case .reconnect, .chunkAcknowledged, .unanswered, .log: break
      }
    }
  }

  /// What the history checker says.
  func findings() throws -> [String] {
    var checker = HistoryChecker(policy: policy, expectsEnd: true)
    checker.acknowledged = acknowledged
    return try checker.check(store).map(\.description)
  }
}
