import BayesianOptimization
import Foundation
import Study
import Transport
import WireProtocol

/// The coordinator's decisions: sessions, leases, proposals and the study's state, without clock, socket or thread.
///
/// Events go in, actions come out. The only effect inside is the commit to the injected store; a transition whose commit
/// fails is not applied and nothing that depends on it is sent, so that an acknowledgement or an assignment always follows
/// its commit. Events that come together share one commit, so that a thousand of them wait for the disk once.
package struct CoordinatorCore {
  /// How far the run has come.
  enum Phase {
    /// Workers get trials.
    case serving
    /// Workers are asked to leave; what comes from them still counts.
    case draining
    /// The study has ended and nothing runs any more.
    case finished
    /// The store is beyond use: nothing is stored or acknowledged any more.
    case broken
  }

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
  var phase = Phase.serving
  var journal = CommitJournal.stored
  var proposals = ProposalPhase.idle
  var warmStart: (trial: Int, data: Data)?

  var sessions: [Peer: CopyOnWriteBox<CoordinatorSession>] = [:]
  /// Connections that are not listened to after too much garbage, and until when.
  var muted: [Peer: Duration] = [:]
  /// Workers that wait for a name that somebody else may bear.
  var newcomers: [Peer: Newcomer] = [:]
  /// The name under which a connection was let in.
  var names: [Peer: String] = [:]

  /// When the lease of a live attempt ends, on the monotonic clock.
  var deadlines: [AttemptToken: Duration] = [:]
  /// Attempts below this token were leased by an earlier coordinator process.
  let firstToken: Int
  /// Attempts of an earlier process that were heard of again.
  var confirmed: Set<AttemptToken> = []
  /// When an attempt began, on the monotonic clock.
  var begun: [AttemptToken: Duration] = [:]
  var tallies: [AttemptToken: ReportTally] = [:]
  var signs: [AttemptToken: Sign] = [:]
  var reports: [IntermediateReport] = []

  /// Workers that get no trial for a while.
  var rests: [String: Rest] = [:]
  /// How often in a row a trial was given back without getting on, and how often a worker has done so.
  var releases: [Int: Int] = [:]
  var releasesOfWorker: [String: Int] = [:]
  /// Counts the requests for trials, so that whoever has waited longest comes first.
  var idleCounter = 0
  /// Queued trials that were said to wait for a larger device.
  var waitingForMemory: Set<Int> = []
  /// Whether it was said that every connected worker is out of service.
  var saidNobody = false

  /// Time of the monotonic clock at the present event.
  var now: Duration
  /// Seconds since 1970, for the record.
  var wallTime: Double
  private let start: Duration
  /// What the present input asks for; see ``collect()``.
  private var output: [Action] = []

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
      try commitOrThrow(state.create(base: settings.base.map { ($0, key($0)) }, time: wallTime))
    }
    try commitOrThrow(state.open(budget: settings.budget, writer: sessionName, time: wallTime))
    if let last = state.trials.last(where: { $0.provenance.hasWarmStart }),
      let data = try store.warmStart(trial: last.number)
    {
      warmStart = (last.number, data)
    }
    if let question = try InterruptedProposal(state, in: store) { proposals = .interrupted(question) }
    for attempt in state.liveAttempts where attempt.leaseSeconds > 0 {
      if settings.presumesWorkersGone {
        try commitOrThrow(state.lose(attempt.token, .coordinatorRestarted, time: wallTime))
      } else {
        deadlines[attempt.token] = now + settings.lease
      }
    }
  }

  /// What to do first, before any event.
  package mutating func begin() -> [Action] {
    schedule()
    if case .interrupted = proposals { proposals = .idle }
    return collect()
  }

  /// Handles one event at time `now` of a monotonic clock; `wallTime` (seconds since 1970) is only recorded.
  package mutating func handle(_ event: Event, now: Duration, wallTime: Double) -> [Action] {
    advance(to: now, wallTime: wallTime)
    if phase != .broken {
      _ = resolveUncertainty()
      receive(event)
      schedule()
    }
    return collect()
  }

  /// Handles events that came together, as if they had come one after the other: their steps are stored in one
  /// transaction, and no action is returned before.
  ///
  /// If that fails they are handled one by one, each with its own success or failure.
  package mutating func handle(_ events: [Event], now: Duration, wallTime: Double) -> [Action] {
    advance(to: now, wallTime: wallTime)
    if let actions = handleTogether(events) { return actions }
    var actions = collect()
    for event in events { actions += handle(event, now: now, wallTime: wallTime) }
    return actions
  }

  mutating func receive(_ event: Event) {
    switch event {
    case .received(let peer, let envelope): receive(envelope, from: peer)
    case .malformed(let peer, let error): receive(error, from: peer)
    case .clock: tick()
    case .proposed(let task, let outcome): receive(outcome, to: task)
    case .undeliverable(let peer): markUnreachable(peer)
    case .revoked(let key): revoke(key)
    case .stored(let peer, let id, let verdict): acknowledge(id, verdict, to: peer)
    case .drain(let immediately, let reason): drain(Drain(immediately: immediately, reason: reason))
    }
  }

  // MARK: Output

  mutating func emit(_ action: Action) { output.append(action) }

  mutating func log(_ level: Note.Level, _ text: String) { emit(.note(Note(level: level, text: text))) }

  /// Gives what was asked for since the last call.
  ///
  /// Every input ends here, so that nothing that was said is lost or said twice.
  mutating func collect() -> [Action] {
    defer { output = [] }
    return output
  }

  // MARK: Time

  /// Time since this coordinator began.
  var elapsed: Duration { now - start }

  mutating func advance(to time: Duration, wallTime: Double) {
    forgive(from: now, to: time)
    now = max(now, time)
    self.wallTime = wallTime
  }

  /// If this process itself was stopped (its clock ticks are late), nobody else is to blame for the silence.
  private mutating func forgive(from old: Duration, to new: Duration) {
    let gap = new - old - settings.stall
    guard gap > .zero else { return }
    for token in deadlines.keys { deadlines[token]? += gap }
    for peer in sessions.keys { sessions[peer]?.value.forgive(gap, now: new) }
    for peer in newcomers.keys { newcomers[peer]?.since = new }
    for token in signs.keys { signs[token]?.since += gap }
    log(.warning, "this coordinator stood still for \(gap + settings.stall); leases were extended")
  }
}
