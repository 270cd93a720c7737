import BayesianOptimization
import Foundation
import Study
import Transport
import WireProtocol

/// The coordinator's decisions: sessions, leases, proposals and the study's state, without clock, socket or thread.
///
/// Events go in, actions come out. The only effect inside is the injected `commit`; a transition whose commit fails is
/// not applied and nothing that depends on it is sent, so that an acknowledgement or an assignment always follows its
/// commit. Events that come together share one commit, so that a thousand of them wait for the disk once.
package struct CoordinatorCore {
  /// The study as committed.
  package internal(set) var state: StudyState
  /// How it is run.
  package let settings: CoordinatorSettings
  /// The connected workers by name.
  package internal(set) var workers: [String: WorkerView] = [:]
  /// What the study held when it was opened.
  package let found: Found
  /// Why nothing can be stored at the moment; nil when all is well.
  package internal(set) var trouble: StudyError?

  let store: any StudyStore
  let key: @Sendable (BayesianOptimization.Configuration) -> String
  let sessionName: String
  var sessions: [Peer: Boxed<CoordinatorSession>] = [:]
  /// When the lease of a live attempt ends, on the monotonic clock.
  var deadlines: [AttemptToken: Duration] = [:]
  /// Attempts below this token were leased by an earlier coordinator process.
  let firstToken: Int
  /// Attempts of an earlier process that were heard of again.
  var confirmed: Set<AttemptToken> = []
  var reports: [IntermediateReport] = []
  var isProposing = false
  /// A proposal that could not be stored yet.
  var heldProposal: (task: ProposalTask, outcome: ProposalOutcome)?
  var isExhausted = false
  /// Queued trials that were said to wait for a larger device.
  var waitingForMemory: Set<Int> = []
  var isDraining = false
  var hasFinished = false
  var warmStart: (trial: Int, data: Data)?
  var idleCounter = 0
  /// What an earlier process was computing when it ended; used by ``begin()`` only.
  var interrupted: InterruptedProposal?
  /// Connections that are not listened to after too much garbage, and until when.
  var muted: [Peer: Duration] = [:]
  /// Workers that wait for a name that somebody else may bear.
  var newcomers: [Peer: Newcomer] = [:]
  /// The name under which a connection was let in.
  var names: [Peer: String] = [:]
  /// Workers that get no trial for a while.
  var rests: [String: Rest] = [:]
  /// How often in a row a trial was given back without getting on, and how often a worker has done so.
  var releases: [Int: Int] = [:]
  var releasesOfWorker: [String: Int] = [:]
  /// When an attempt began, on the monotonic clock.
  var begun: [AttemptToken: Duration] = [:]
  var tallies: [AttemptToken: ReportTally] = [:]
  var signs: [AttemptToken: Sign] = [:]
  var saidNobody = false
  /// Why a step can never be stored, until somebody has dealt with it.
  var unstorable: StudyError?
  /// Number of the hello that is being handled.
  var helloID: Int64 = 0
  var output: [Action] = []
  var uncertain: [Transition] = []
  /// The steps of the batch that is being handled, applied and not yet stored; nil outside of a batch.
  var gathered: [Transition]?
  /// Whether something in the batch rests on what was stored before it.
  var needsConfirmation = false
  /// The store is beyond use: nothing is stored or acknowledged any more.
  var isBroken = false
  var now: Duration
  private let start: Duration
  private var wallTime: Double

  /// Opens the study in `store`: everything committed is kept, attempts that were under way wait for their workers
  /// (or run again at once where the settings presume the workers gone).
  ///
  /// - Throws: what the store throws.
  package init(
    settings: CoordinatorSettings, store: any StudyStore, policy: StudyPolicy, sessionName: String,
    key: @escaping @Sendable (BayesianOptimization.Configuration) -> String, now: Duration, wallTime: Double
  ) throws {
    self.settings = settings
    self.store = store
    self.key = key
    self.sessionName = sessionName
    self.now = now
    start = now
    self.wallTime = wallTime
    state = StudyState(record: try store.load(), policy: policy)
    firstToken = state.header.nextToken
    found = Found(
      isNew: state.header.lastEvent == 0, finished: state.finishedCount, interrupted: state.running.count,
      queued: state.queued.count)
    if state.header.lastEvent == 0 {
      try require(state.create(anchor: settings.anchor.map { ($0, key($0)) }, time: wallTime))
    }
    try require(state.open(budget: settings.budget, writer: sessionName, time: wallTime))
    if let last = state.trials.last(where: { $0.provenance.hasWarmStart }),
      let data = try store.warmStart(trial: last.number)
    {
      warmStart = (last.number, data)
    }
    interrupted = try InterruptedProposal(state, in: store)
    for attempt in state.liveAttempts where attempt.leaseSeconds > 0 {
      if settings.presumesWorkersGone {
        try require(state.lose(attempt.token, .coordinatorRestarted, time: wallTime))
      } else {
        deadlines[attempt.token] = now + settings.lease
      }
    }
  }

  /// Handles one event at time `now` of a monotonic clock; `wallTime` (seconds since 1970) is only recorded.
  package mutating func handle(_ event: Event, now: Duration, wallTime: Double) -> [Action] {
    advance(to: now, wallTime: wallTime)
    guard !isBroken else { return [] }
    _ = resolveUncertainty()
    take(event)
    goOn()
    defer { output = [] }
    return output
  }

  /// Handles events that came together, as if they had come one after the other: their steps are stored in one
  /// transaction, and no action is returned before.
  package mutating func handle(_ events: [Event], now: Duration, wallTime: Double) -> [Action] {
    advance(to: now, wallTime: wallTime)
    guard !isBroken else { return [] }
    if resolveUncertainty(), trouble == nil {
      let before = self
      gathered = []
      needsConfirmation = false
      for event in events { take(event) }
      goOn()
      let steps = gathered ?? []
      gathered = nil
      if isStored(steps) {
        defer { output = [] }
        return output
      }
      // Nothing of it is true, as far as is known: once more, step by step, each with its own success or failure.
      self = before
      uncertain = steps
      _ = resolveUncertainty()
    }
    var actions = output
    for event in events { actions += handle(event, now: now, wallTime: wallTime) }
    return actions
  }

  private mutating func advance(to now: Duration, wallTime: Double) {
    output = []
    forgive(from: self.now, to: now)
    self.now = max(now, self.now)
    self.wallTime = wallTime
  }

  private mutating func take(_ event: Event) {
    switch event {
    case .received(let peer, let envelope): if !isOutdated(envelope, from: peer) { feed(.received(envelope), to: peer) }
    case .malformed(let peer, let error): feed(.malformed(error), to: peer)
    case .clock: tick()
    case .proposed(let task, let outcome): take(outcome, of: task)
    case .undeliverable(let peer): lostContact(peer)
    case .revoked(let key): revoke(key)
    case .stored(let peer, let id, let verdict): feed(.settled(id: id, verdict), to: peer)
    case .drain(let immediately, let reason):
      isDraining = true
      for peer in sessions.keys.sorted(by: { $0.id.lexicographicallyPrecedes($1.id) }) {
        feed(.drain(Drain(immediately: immediately, reason: reason)), to: peer)
      }
    }
  }

  /// What to do first, before any event.
  package mutating func begin() -> [Action] {
    output = []
    goOn()
    interrupted = nil
    defer { output = [] }
    return output
  }

  /// Time of the monotonic clock at the present event, and seconds since 1970 for the record.
  var time: (now: Duration, wall: Double) { (now, wallTime) }

  /// Time since this coordinator began.
  var elapsed: Duration { now - start }

  /// If this process itself was stopped (its clock ticks are late), nobody else is to blame for the silence.
  private mutating func forgive(from old: Duration, to new: Duration) {
    let gap = new - old - settings.stall
    guard gap > .zero else { return }
    for token in deadlines.keys { deadlines[token]? += gap }
    for peer in sessions.keys { sessions[peer]?.value.forgive(gap, now: new) }
    for peer in newcomers.keys { newcomers[peer]?.since = new }
    for token in signs.keys { signs[token]?.since += gap }
    note(.warning, "this coordinator stood still for \(gap + settings.stall); leases were extended")
  }

  mutating func note(_ level: Note.Level, _ text: String) { output.append(.note(Note(level: level, text: text))) }
}
