import BayesianOptimization
import Foundation
import Study

/// The contract of ``StudyStore`` as a program: every implementation must pass every check.
package struct StudyStoreContract {
  /// A clause that does not hold.
  package struct Violation: Error, CustomStringConvertible {
    package let description: String
  }

  /// One clause.
  package struct Check: Sendable {
    /// What it proves.
    package let name: String
    let run: @Sendable (any StudyStore, @Sendable (any StudyStore) throws -> any StudyStore) throws -> Void
  }

  /// Definition of the study that the checks expect in a fresh store, with budget 10.
  package static let definition = StudyDefinition(
    name: "contract", identifier: "c0", seed: 7,
    objectives: [
      Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
    ])

  /// All clauses.
  package static let checks: [Check] = [
    Check(name: "a fresh study is empty", run: isEmpty),
    Check(name: "everything comes back exactly", run: roundTrip),
    Check(name: "events are gapless, paged and ordered", run: pages),
    Check(name: "a transition that does not follow is refused and changes nothing", run: sequence),
    Check(name: "the guards refuse and change nothing", run: guards),
    Check(name: "only the coordinator that opened the study last may write", run: fence),
    Check(name: "steps that are stored together are stored all or not at all", run: batches),
    Check(name: "reports are vectors, kept by attempt and step", run: reports),
    Check(name: "a reopened store has everything", run: reopening),
  ]

  /// Runs one check on a fresh store; `reopen` closes a store and opens it again (or returns it, for stores in memory).
  package static func run(
    _ check: Check, on store: any StudyStore,
    reopen: @Sendable (any StudyStore) throws -> any StudyStore = { $0 }
  ) throws {
    try withoutActuallyEscaping(reopen) { try check.run(store, $0) }
  }

  private static func require(_ condition: Bool, _ what: @autoclosure () -> String) throws {
    if !condition { throw Violation(description: what()) }
  }

  private static func state(_ store: any StudyStore) throws -> StudyState { StudyState(record: try store.load()) }

  private static func configuration(_ number: Int) -> Configuration { .memory(layers: [number], count: 2, rank: 8) }

  static let worker = WorkerIdentity(
    name: "host/0", incarnation: "i1", host: "host", device: "cuda:0", deviceBytes: 80_000_000_000)

  /// Commits the steps of a small study: two trials, the first completed.
  private static func fill(_ store: any StudyStore) throws -> StudyState {
    var state = try state(store)
    func step(_ transition: Transition) throws {
      try store.commit(transition)
      state.apply(transition)
    }
    try step(state.create(base: (.memory(layers: [], count: 0, rank: 8), "null"), time: 1_000.125))
    try step(
      state.enqueue(
        .search, configuration: configuration(1), key: "k1",
        provenance: Provenance(
          source: "nehvi", proposalIndex: 0, fallbacks: ["map"], eventNumber: 2, pending: [0], acquisition: -1e-300,
          diagnostics: ["rHat": 1.0 / 3]),
        warmStart: Data([0, 255, 1]), time: 1_001))
    try step(state.lease(trial: 0, to: worker, leaseSeconds: 60, time: 1_002))
    try step(state.start(AttemptToken(1), time: 1_003))
    let result = TrialResult(
      objectives: ["loss": 0.1 + 0.2, "rougeL": .leastNonzeroMagnitude], standardErrors: ["loss": 1e-17],
      metrics: ["seconds": 1e308],
      artifacts: [ArtifactReference(name: "adapter", sha256: String(repeating: "ab", count: 32), bytes: 1 << 40)])
    try step(state.complete(AttemptToken(1), result: result, time: 1_004).transition)
    return state
  }

  private static let isEmpty: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    let record = try store.load()
    try require(record.definition == definition, "the definition is not the one it was made with")
    try require(record.trials.isEmpty && record.header == StudyHeader(budget: 10), "a fresh study is not empty")
    try require(try store.lastEventNumber() == 0, "a fresh study has events")
    try require(try store.events(after: 0, limit: 10).isEmpty, "a fresh study has events")
  }

  private static let roundTrip: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    let state = try fill(store)
    let record = try store.load()
    try require(
      record.trials == Array(state.trials), "trials differ: \(record.trials) instead of \(Array(state.trials))")
    try require(record.header == state.header, "headers differ: \(record.header) instead of \(state.header)")
    try require(try store.warmStart(trial: 1) == Data([0, 255, 1]), "the warm start differs")
    try require(try store.warmStart(trial: 0) == nil, "a warm start appeared")
    let loss = record.trials.first?.result?.objectives["loss"]
    try require(loss?.bitPattern == (0.1 + 0.2).bitPattern, "a number lost bits")
  }

  private static let pages: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    let state = try fill(store)
    let all = try store.events(after: 0, limit: .max)
    try require(all.map(\.number) == Array(1...state.header.lastEvent), "events have gaps: \(all.map(\.number))")
    let page = try store.events(after: 2, limit: 2)
    try require(page == Array(all[2..<4]), "a page differs from the whole")
    try require(try store.lastEventNumber() == all.count, "the last number is not the last event's")
  }

  private static func refuses(
    _ code: StudyError.Code, _ what: String, in store: any StudyStore, _ transition: Transition
  ) throws {
    let before = try (store.load(), store.lastEventNumber())
    do {
      try store.commit(transition)
    } catch let error as StudyError where error.code == code {
      let after = try (store.load(), store.lastEventNumber())
      try require(before == after, "\(what): refused, but something changed")
      return
    } catch {
      throw Violation(description: "\(what): refused with \(error) instead of \(code)")
    }
    throw Violation(description: "\(what): was accepted")
  }

  private static let sequence: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    let state = try fill(store)
    let step = try state.lease(trial: 1, to: worker, leaseSeconds: 60, time: 2_000)
    try store.commit(step)
    try refuses(.sequenceConflict, "the same transition twice", in: store, step)
    var late = step
    late.events = late.events.map { StudyEvent(number: $0.number + 5, time: $0.time, kind: $0.kind) }
    late.header.lastEvent += 5
    try refuses(.sequenceConflict, "a transition that skips numbers", in: store, late)
  }

  private static let guards: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    let state = try fill(store)
    let good = try state.enqueue(
      .search, configuration: configuration(2), key: "k2", provenance: Provenance(source: "sobol", eventNumber: 5),
      time: 3_000)
    var gap = good
    gap.trials[0].number += 1
    try refuses(.sequenceConflict, "a gap in the trial numbers", in: store, gap)
    var twin = good
    twin.trials[0].configurationKey = "k1"
    try refuses(.duplicateKey, "two trials of one key", in: store, twin)
    var leased = try state.lease(trial: 1, to: worker, leaseSeconds: 60, time: 3_000)
    leased.trials[0].state = .queued
    try refuses(.illegalTransition, "a live attempt of a queued trial", in: store, leased)
    try store.commit(good)
  }

  private static let fence: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    var mine = try fill(store)
    var other = mine
    let opening = mine.open(budget: 10, writer: "mine", time: 2_000)
    try store.commit(opening)
    mine.apply(opening)
    try require(try store.mark() == CommitMark(mine.header), "the mark is not the last step's")
    try require(try store.mark().writer == "mine", "the writer is not kept")
    // Computed from what was there before: another process that opened the study at the same moment.
    try refuses(.sequenceConflict, "an opening with an old epoch", in: store, other.open(budget: 10, time: 2_001))
    other = try state(store)
    let takeover = other.open(budget: 10, writer: "other", time: 2_002)
    try store.commit(takeover)
    other.apply(takeover)
    try refuses(.sequenceConflict, "a step of a replaced coordinator", in: store, mine.pause(time: 2_003))
    // Even one whose numbers would fit.
    var stranger = other.header
    stranger.writer = "mine"
    stranger.lastEvent += 1
    let forged = Transition(
      events: [StudyEvent(number: stranger.lastEvent, time: 2_004, kind: .studyPaused)], header: stranger)
    try refuses(.sequenceConflict, "a step of another writer in the same epoch", in: store, forged)
    try store.commit(other.pause(time: 2_005))
  }

  private static let batches: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    var state = try fill(store)
    let lease = try state.lease(trial: 1, to: worker, leaseSeconds: 60, time: 2_000)
    state.apply(lease)
    guard let token = state.trials[1].liveAttempt?.token else { throw Violation(description: "no lease") }
    let start = try state.start(token, time: 2_001)
    let before = try (store.load(), store.lastEventNumber())
    do {
      try store.commit([lease, start, start])
      throw Violation(description: "a batch with a step twice: was accepted")
    } catch let error as StudyError where error.code == .sequenceConflict {
      let after = try (store.load(), store.lastEventNumber())
      try require(before == after, "a batch was refused, but a part of it was stored")
    }
    try store.commit([lease, start])
    state.apply(start)
    try require(try store.load().trials == Array(state.trials), "a batch is not its steps")
    try require(try store.load().header == state.header, "the header after a batch is not its last step's")
    try store.commit([])
  }

  private static let reports: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, _ in
    let state = try fill(store)
    let made = [3, 1, 2].map {
      IntermediateReport(token: AttemptToken(1), trial: 0, step: $0, values: ["loss": 1 / Double($0), "rougeL": 0.5])
    }
    try store.commit(Transition(events: [], header: state.header, reports: made))
    try store.commit(Transition(events: [], header: state.header, reports: Array(made.prefix(1))))
    try require(try store.reports(trial: 0) == [made[1], made[2], made[0]], "reports are not what was stored")
    try require(try store.reports(trial: 1).isEmpty, "a report appeared at another trial")
  }

  private static let reopening: @Sendable (any StudyStore, (any StudyStore) throws -> any StudyStore) throws -> Void = {
    store, reopen in
    var state = try fill(store)
    let events = try store.events(after: 0, limit: .max)
    let again = try reopen(store)
    let record = try again.load()
    try require(record.trials == Array(state.trials) && record.header == state.header, "reopening changed the study")
    try require(try again.events(after: 0, limit: .max) == events, "reopening changed the events")
    let next = try state.lease(trial: 1, to: worker, leaseSeconds: 60, time: 2_000)
    try again.commit(next)
    state.apply(next)
    try require(try again.load().trials == Array(state.trials), "a reopened store does not go on")
  }
}
