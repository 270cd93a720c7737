import BayesianOptimization
import Foundation
import Study

/// A small study with its store, driven step by step: commits and applies every transition.
struct StudyFixture {
  var state: StudyState
  let store: any StudyStore

  static let definition = StudyDefinition(
    name: "test", identifier: "t", seed: 11,
    objectives: [
      Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
    ])

  /// Exact hypervolume in two dimensions, for maximised values.
  static let policy = StudyPolicy(
    referencePoint: { $0.contains { $0.outcome == .completed } ? ["loss": 10, "rougeL": -1] : nil },
    hypervolume: { points, reference in
      var volume = 0.0
      var right = reference[1]
      for point in points.sorted(by: { $0[0] > $1[0] }) where point[1] > right && point[0] > reference[0] {
        volume += (point[0] - reference[0]) * (point[1] - right)
        right = point[1]
      }
      return volume
    })

  init(budget: Int = 5, policy: StudyPolicy = StudyFixture.policy) throws {
    store = InMemoryStudyStore(definition: Self.definition, budget: budget)
    state = StudyState(record: try store.load(), policy: policy)
    try take(state.create(base: (.memory(layers: [], count: 0, rank: 8), "null"), time: 0))
  }

  mutating func take(_ transition: Transition) throws {
    guard !transition.isEmpty else { return }
    try store.commit(transition)
    state.apply(transition)
  }

  @discardableResult
  mutating func enqueue(_ index: Int) throws -> Int {
    let configuration = BayesianOptimization.Configuration.memory(layers: [index], count: 1, rank: 8)
    try take(
      state.enqueue(
        .search, configuration: configuration, key: "k\(index)",
        provenance: Provenance(source: "sobol", proposalIndex: state.header.nextProposal, eventNumber: 0), time: 0))
    return state.trials.count - 1
  }

  mutating func lease(_ trial: Int, worker: String = "w", bytes: Int64? = nil) throws -> AttemptToken {
    let identity = WorkerIdentity(name: worker, incarnation: "1", deviceBytes: bytes)
    try take(state.lease(trial: trial, to: identity, leaseSeconds: 60, time: 0))
    return state.trials[trial].attempts.last?.token ?? AttemptToken(-1)
  }

  mutating func leaseAndStart(_ trial: Int, worker: String = "w", bytes: Int64? = nil) throws -> AttemptToken {
    let token = try lease(trial, worker: worker, bytes: bytes)
    try take(state.start(token, time: 0))
    return token
  }

  mutating func complete(_ token: AttemptToken, loss: Double, rouge: Double = 0.1) throws -> Verdict {
    let (transition, verdict) = try state.complete(
      token, result: TrialResult(objectives: ["loss": loss, "rougeL": rouge]), time: 0)
    try take(transition)
    return verdict
  }

  mutating func fail(
    _ token: AttemptToken, _ failureClass: FailureClass, message: String = "m", largest: Int64? = nil
  ) throws -> Verdict {
    let (transition, verdict) = try state.fail(
      token, FailureRecord(failureClass: failureClass, message: message), largestDeviceBytes: largest, time: 0)
    try take(transition)
    return verdict
  }

  /// What the history checker says, and whether a reloaded state is the same as the one in memory.
  func findings(expectsEnd: Bool = false) throws -> [String] {
    var found = try HistoryChecker(policy: state.policy, expectsEnd: expectsEnd).check(store).map(\.description)
    let again = StudyState(record: try store.load(), policy: state.policy)
    if again.trials != state.trials || again.header != state.header { found.append("reload: records differ") }
    if again.queued != state.queued || again.running != state.running { found.append("reload: queues differ") }
    if again.ended != state.ended || again.front != state.front { found.append("reload: history differs") }
    if again.finishedCount != state.finishedCount { found.append("reload: counts differ") }
    if again.hypervolumes != state.hypervolumes { found.append("reload: hypervolumes differ") }
    return found
  }
}
