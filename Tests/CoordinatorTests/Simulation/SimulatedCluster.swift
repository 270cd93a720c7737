import StudyTesting
import BayesianOptimization
import Foundation
import RandomStreams
import SessionTesting
import Study
import Transport
import WireProtocol

@testable import Coordinator

/// A coordinator, its workers, the network and the disk in one thread, driven by a seeded list of events.
///
/// Everything that can go wrong does, until `healing`; then everything is mended and the study has to end by itself.
final class SimulatedCluster {
  enum Event {
    case toServer(Peer, Envelope)
    case toWorker(Int, Peer, Envelope)
    case coordinatorTick(Int)
    case workerTick(Int, incarnation: Int)
    case trainerStarts(Int, incarnation: Int, AttemptToken)
    case trainerEnds(Int, incarnation: Int, AttemptToken)
    case proposed(Int, ProposalTask)
    /// The coordinator takes what has gathered.
    case flush(Int)
    case mischief
    case startCoordinator
    case startWorker(Int)
    case undeliverable(Peer)
    case storeReturns
    case heal
  }

  /// How often each fault has happened.
  var fired: [String: Int] = [:]
  var acknowledged: [AttemptToken: TrialResult] = [:]
  private(set) var events = 0
  private(set) var finish: StopReason?
  var fatal: StudyError?
  let base: InMemoryStudyStore

  var random: RandomStream
  var queue = EventQueue<Event>()
  var core: CoordinatorCore?
  var epoch = 0
  var workers: [SimulatedWorker]
  let store: FaultyStore
  private(set) var now: Duration = .zero
  var isHealed = false
  var blockedToServer: [Int: Duration] = [:]
  var blockedToWorker: [Int: Duration] = [:]
  var stoppedUntil: Duration = .zero
  var diskFullUntil: Duration = .zero
  var wallOffset = 0.0
  /// The file of the study was deleted; the next error is the right one.
  var isDeleted = false
  /// Another coordinator has opened the study: this one has to end, and may not acknowledge anything.
  var isReplaced = false
  /// Whether the coordinator takes its events in batches, as the runner does under load; every second seed.
  let isBatching: Bool
  var batch: [CoordinatorCore.Event] = []
  var batchRandom: RandomStream
  var mischief: RandomStream
  let budget: Int
  let tick = Duration.seconds(60)
  let heartbeat = Duration.seconds(120)

  init(seed: UInt64, budget: Int = 120, workerCount: Int = 4) {
    self.budget = budget
    random = RandomStream(seed: seed, purpose: "test/cluster")
    // Chance of its own, so that seeds that once found a fault keep their course.
    batchRandom = RandomStream(seed: seed, purpose: "test/batches")
    mischief = RandomStream(seed: seed, purpose: "test/mischief")
    isBatching = seed % 2 == 1
    base = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: seed), budget: budget)
    store = FaultyStore(base) { _ in nil }
    workers = (0..<workerCount).map { SimulatedWorker($0, heartbeat: .seconds(120)) }
    // A clone of the first worker: another machine under the same name; it comes now and then.
    workers.append(SimulatedWorker(workerCount, name: "host/0", heartbeat: .seconds(120)))
    workers[workerCount].isUp = false
    startCoordinator()
    for index in workers.indices where workers[index].isUp {
      plan(.workerTick(index, incarnation: 0), in: .seconds(Double(index)))
    }
    plan(.mischief, in: .seconds(600))
  }

  /// Runs until the study has ended or `limit` of simulated time has passed; faults stop at `healing`.
  func run(healing: Duration, limit: Duration) {
    queue.plan(.heal, at: healing)
    while let (time, event) = queue.next(), time <= limit, finish == nil, fatal == nil {
      now = time
      events += 1
      take(event)
    }
  }

  /// What the history checker says at the end.
  func findings() throws -> [String] {
    var checker = HistoryChecker(policy: ToyEvaluation.policy, expectsEnd: true)
    checker.acknowledged = acknowledged
    return try checker.check(base).map(\.description)
  }

  // MARK: - Chance

  func chance(_ probability: Double) -> Bool { !isHealed && random.uniform() < probability }

  func fire(_ fault: String) { fired[fault, default: 0] += 1 }

  func plan(_ event: Event, in delay: Duration) { queue.plan(event, at: now + delay) }

  func anyTime(_ mean: Double) -> Duration { .seconds(-log(random.uniform()) * mean) }

  // MARK: - Events

  func take(_ event: Event) {
    switch event {
    case .toServer, .coordinatorTick, .proposed, .flush, .undeliverable:
      if now < stoppedUntil {
        queue.plan(event, at: stoppedUntil)
      } else {
        takeAtServer(event)
      }
    case .toWorker(let index, let peer, let envelope):
      guard workers[index].isUp, workers[index].peer == peer else { return }
      feed(.received(envelope), to: index)
    case .workerTick(let index, let incarnation):
      guard workers[index].isUp, workers[index].incarnation == incarnation else { return }
      feed(.clock, to: index)
      if !isReady(index) { feed(.evaluatorReady, to: index) }
      let due = max(workers[index].session.nextDeadline + workers[index].birth, now + .seconds(1))
      queue.plan(event, at: min(due, now + heartbeat))
    case .trainerStarts(let index, let incarnation, let token):
      guard workers[index].incarnation == incarnation, workers[index].training?.attempt == token else { return }
      feed(.started(token), to: index)
    case .trainerEnds(let index, let incarnation, let token):
      guard workers[index].isUp, workers[index].incarnation == incarnation else { return }
      endTraining(index, token)
    case .mischief: makeMischief()
    case .startCoordinator: startCoordinator()
    case .startWorker(let index):
      if !workers[index].isUp, !(isHealed && workers[index].isClone) {
        workers[index].start(at: now, heartbeat: heartbeat)
        plan(.workerTick(index, incarnation: workers[index].incarnation), in: .zero)
      }
    case .storeReturns:
      store.takeAway(nil)
      isDeleted = false
    case .heal: heal()
    }
  }

  func isReady(_ index: Int) -> Bool { workers[index].session.phase != .preparing }

  func takeAtServer(_ event: Event) {
    switch event {
    case .toServer(let peer, let envelope): handle([.received(peer, envelope)])
    case .undeliverable(let peer): handle([.undeliverable(peer)])
    case .coordinatorTick(let epoch):
      guard epoch == self.epoch, core != nil else { return }
      handle([.clock])
      plan(.coordinatorTick(epoch), in: tick)
    case .proposed(let epoch, let task):
      guard epoch == self.epoch, core != nil else { return }
      guard isBatching else { return handle([.proposed(task, ToySampler().propose(task.request))]) }
      let row = ToySampler().proposals(task.request, count: 1 + batchRandom.integer(below: 3))
      handle(task.answered(by: row).map { .proposed($0.task, $0.outcome) })
    case .flush(let epoch):
      guard epoch == self.epoch, core != nil else { return }
      fire(batch.count > 1 ? "batch" : "batch of one")
      let events = batch
      batch = []
      handleNow(events)
    default: return
    }
  }

  // MARK: - Coordinator

  func startCoordinator() {
    guard core == nil else { return }
    planStoreFaults()
    epoch += 1
    let settings = CoordinatorSettings(
      build: "b", budget: budget, heartbeat: heartbeat, lease: .seconds(600), resend: .seconds(60), lookahead: 1,
      base: .memory(layers: [], count: 0, rank: 8), stall: .seconds(180))
    do {
      core = try CoordinatorCore(
        settings: settings, store: store, policy: ToyEvaluation.policy, sessionName: "s\(epoch)", key: ToySampler.key,
        now: now, wallTime: wall)
    } catch {
      // The disk is full at the start: tried again.
      fire("start failed")
      return plan(.startCoordinator, in: .seconds(120))
    }
    plan(.coordinatorTick(epoch), in: tick)
    carryOut(core?.begin() ?? [])
  }

  var wall: Double { 1e9 + Double(now.components.seconds) + wallOffset }

  func handle(_ events: [CoordinatorCore.Event]) {
    guard core != nil else { return }
    guard isBatching else { return handleNow(events) }
    if batch.isEmpty {
      let isLong = batchRandom.uniform() < 0.3
      plan(.flush(epoch), in: .seconds(batchRandom.uniform() * (isLong ? 90 : 0.3)))
    }
    batch += events
  }

  func handleNow(_ events: [CoordinatorCore.Event]) {
    planStoreFaults()
    let actions =
      isBatching
      ? core?.handle(events, now: now, wallTime: wall) ?? []
      : events.flatMap { core?.handle($0, now: now, wallTime: wall) ?? [] }
    if chance(0.0005) {
      // Killed after its commits and before its replies.
      fire("killed before replies")
      killCoordinator()
    } else {
      carryOut(actions)
    }
  }

  func planStoreFaults() {
    let draw = isHealed ? 1 : random.uniform()
    let isFull = now < diskFullUntil
    let full = StudyError(.diskFull, "full")
    let broken = StudyError(.inputOutput, "broken")
    if isFull { return store.replan { _ in .fail(full) } }
    // Of a batch often only the common commit fails, and the single ones after it do not.
    let last = isBatching && batchRandom.uniform() < 0.5 ? store.commits + 1 : .max
    if draw < 0.02 { return store.replan { $0 <= last ? .fail(broken) : nil } }
    if draw < 0.04 { return store.replan { $0 <= last ? .executeAndFail(broken) : nil } }
    if draw < 0.05 { return store.replan { $0 <= last ? .executeAndLoseContact(broken) : nil } }
    store.replan { _ in nil }
  }

  func carryOut(_ actions: [CoordinatorCore.Action]) {
    for action in actions {
      switch action {
      case .send(let peer, let envelope):
        guard let index = workers.firstIndex(where: { $0.isUp && $0.peer == peer }) else {
          // A closed connection is noticed where the network carries the news.
          if random.uniform() < 0.5 {
            fire("undeliverable")
            plan(.undeliverable(peer), in: .seconds(1))
          }
          continue
        }
        if case .refused(let refusal) = envelope.message, refusal.code == .duplicateName { fire("name refused") }
        deliver(to: index, isToServer: false) { .toWorker(index, peer, envelope) }
      case .propose(let task): plan(.proposed(epoch, task), in: anyTime(120))
      case .finished(let reason): finish = reason
      case .fatal(let error): meet(error)
      case .store, .note, .disconnect: break
      }
    }
  }

  func deliver(to index: Int, isToServer: Bool, _ event: () -> Event) {
    let blocked = (isToServer ? blockedToServer : blockedToWorker)[index] ?? .zero
    if now < blocked { return fire("lost in partition") }
    if chance(0.05) { return fire("dropped") }
    let copies = chance(0.05) ? 2 : 1
    if copies == 2 { fire("duplicated") }
    for _ in 0..<copies {
      let isSlow = chance(0.03)
      if isSlow { fire("delayed") }
      plan(event(), in: isSlow ? anyTime(900) : anyTime(0.05))
    }
  }

  func killCoordinator() {
    // Its successor opens the study anew.
    isReplaced = false
    core = nil
    batch = []
    fire("coordinator killed")
    plan(.startCoordinator, in: anyTime(random.uniform() < 0.2 ? 3_600 : 30))
  }

  // MARK: - Workers

  func feed(_ event: WorkerSession.Event, to index: Int) {
    let actions = workers[index].session.handle(event, now: now - workers[index].birth)
    for action in actions {
      switch action {
      case .send(let envelope):
        let peer = workers[index].peer
        deliver(to: index, isToServer: true) { .toServer(peer, envelope) }
      case .keep(let submission): workers[index].kept[submission.attempt] = submission
      case .forget(let token, let verdict):
        if case .result(let report) = workers[index].kept[token], verdict != .conflict,
          report.result.nonFiniteNames.isEmpty, report.result.extremeObjective == nil
        {
          acknowledged[token] = report.result
        }
        workers[index].kept[token] = nil
      case .execute(let assignment): train(index, assignment)
      case .interrupt(let token, let reason):
        guard workers[index].training?.attempt == token else { continue }
        workers[index].training = nil
        feed(.finished(.released(ReleaseReport(attempt: token, reason: reason))), to: index)
      case .welcomed(let welcome): workers[index].studyIdentifier = welcome.studyIdentifier
      case .reconnect: workers[index].connection += 1
      case .leave:
        workers[index].isUp = false
        if !isHealed || !workers[index].isClone { plan(.startWorker(index), in: anyTime(600)) }
      case .chunkAcknowledged, .unanswered, .log: break
      }
    }
  }

  func train(_ index: Int, _ assignment: Assignment) {
    workers[index].training = assignment
    let incarnation = workers[index].incarnation
    plan(.trainerStarts(index, incarnation: incarnation, assignment.attempt), in: anyTime(60))
    plan(.trainerEnds(index, incarnation: incarnation, assignment.attempt), in: .seconds(600) + anyTime(7_200))
  }

  func endTraining(_ index: Int, _ token: AttemptToken) {
    guard let assignment = workers[index].training, assignment.attempt == token else { return }
    workers[index].training = nil
    var result = ToyEvaluation.result(assignment.configuration, seed: assignment.seed &+ UInt64(token.rawValue))
    let draw = isHealed ? 1 : random.uniform()
    if draw < 0.03 { result.objectives["loss"] = .nan }
    if mischief.uniform() < 0.02, !isHealed {
      fire("extreme objective")
      let extremes = [1e308, -1e308, 1e200, Double.greatestFiniteMagnitude]
      result.objectives["loss"] = extremes[mischief.integer(below: extremes.count)]
    }
    let classes: [FailureClass] = [.bug, .bug, .outOfMemory, .hardware, .preempted, .diverged]
    if draw >= 0.03 && draw < 0.15 {
      let failureClass = classes[random.integer(below: classes.count)]
      fire("failure \(failureClass)")
      let record = FailureRecord(failureClass: failureClass, message: "attempt \(token)", deviceBytes: 1 << 34)
      feed(.finished(.failure(FailureReport(attempt: token, started: true, record: record))), to: index)
    } else {
      feed(.finished(.result(ResultReport(attempt: token, result: result))), to: index)
    }
  }
}
