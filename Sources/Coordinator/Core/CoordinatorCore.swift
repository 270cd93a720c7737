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
public struct CoordinatorCore {
  /// The study as committed.
  public private(set) var state: StudyState
  /// How it is run.
  public let settings: CoordinatorSettings
  /// The connected workers by name.
  public internal(set) var workers: [String: WorkerView] = [:]
  /// What the study held when it was opened.
  public let found: Found
  /// Why nothing can be stored at the moment; nil when all is well.
  public private(set) var trouble: StudyError?

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
  /// Number of the hello that is being handled.
  var helloID: Int64 = 0
  var output: [Action] = []
  private var uncertain: [Transition] = []
  /// The steps of the batch that is being handled, applied and not yet stored; nil outside of a batch.
  private var gathered: [Transition]?
  private var now: Duration
  private let start: Duration
  private var wallTime: Double

  /// Opens the study in `store`: everything committed is kept, attempts that were under way wait for their workers
  /// (or run again at once where the settings presume the workers gone).
  ///
  /// - Throws: what the store throws.
  public init(
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
    try require(state.open(budget: settings.budget, time: wallTime))
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
  public mutating func handle(_ event: Event, now: Duration, wallTime: Double) -> [Action] {
    advance(to: now, wallTime: wallTime)
    _ = resolveUncertainty()
    take(event)
    goOn()
    defer { output = [] }
    return output
  }

  /// Handles events that came together, as if they had come one after the other: their steps are stored in one
  /// transaction, and no action is returned before.
  public mutating func handle(_ events: [Event], now: Duration, wallTime: Double) -> [Action] {
    advance(to: now, wallTime: wallTime)
    if resolveUncertainty(), trouble == nil {
      let before = self
      gathered = []
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

  /// Stores the steps of a batch; false if they were not stored, or if that is not known.
  private mutating func isStored(_ steps: [Transition]) -> Bool {
    guard let last = steps.last else { return true }
    do {
      try store.commit(steps)
      return true
    } catch {
      // The error may have come after the deed.
      let hasEvents = steps.contains { !$0.events.isEmpty }
      return hasEvents && (try? store.lastEventNumber()) == last.header.lastEvent
    }
  }

  private mutating func advance(to now: Duration, wallTime: Double) {
    output = []
    forgive(from: self.now, to: now)
    self.now = max(now, self.now)
    self.wallTime = wallTime
  }

  private mutating func take(_ event: Event) {
    switch event {
    case .received(let peer, let envelope): if !isOutdated(envelope) { feed(.received(envelope), to: peer) }
    case .malformed(let peer, let error): feed(.malformed(error), to: peer)
    case .clock: tick()
    case .proposed(let task, let outcome): take(outcome, of: task)
    case .stored(let peer, let id, let verdict): feed(.settled(id: id, verdict), to: peer)
    case .drain(let immediately, let reason):
      isDraining = true
      for peer in sessions.keys.sorted(by: { $0.id.lexicographicallyPrecedes($1.id) }) {
        feed(.drain(Drain(immediately: immediately, reason: reason)), to: peer)
      }
    }
  }

  /// What to do first, before any event.
  public mutating func begin() -> [Action] {
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
    note(.warning, "this coordinator stood still for \(gap + settings.stall); leases were extended")
  }

  mutating func note(_ level: Note.Level, _ text: String) { output.append(.note(Note(level: level, text: text))) }

  // MARK: - Commits

  /// Commits while opening, where an error is the caller's to handle.
  private mutating func require(_ transition: Transition) throws {
    guard !transition.isEmpty else { return }
    try store.commit(transition)
    state.apply(transition)
  }

  /// Commits and applies a transition; false if it could not be stored, so that nothing may follow from it.
  ///
  /// In a batch it is applied at once and stored with the others at the end.
  mutating func commit(_ transition: Transition) -> Bool {
    if gathered != nil {
      if transition.isEmpty { return true }
      gathered?.append(transition)
      settle(transition)
      return true
    }
    let known = state.header.lastEvent
    guard resolveUncertainty(), state.header.lastEvent == known else {
      // An earlier step turned out to be stored: this one was computed without it and has to be computed again.
      return false
    }
    if transition.isEmpty { return true }
    do {
      try store.commit(transition)
      settle(transition)
      return true
    } catch {
      let problem = error as? StudyError ?? StudyError(.inputOutput, "\(error)")
      uncertain = [transition]
      // The error may have come after the deed: ask the store what is true.
      let before = state.header.lastEvent
      if resolveUncertainty(), state.header.lastEvent != before { return true }
      report(problem)
      return false
    }
  }

  private mutating func settle(_ transition: Transition) {
    state.apply(transition)
    for (trial, data) in transition.warmStarts { warmStart = (trial, data) }
    if trouble != nil {
      trouble = nil
      note(.info, "the study can be written again")
    }
  }

  /// Makes up for what did not follow from a step at the time, because it was not known to be stored: every live
  /// attempt has a deadline, and one that was never sent is given back.
  mutating func recover() {
    guard uncertain.isEmpty else { return }
    for attempt in state.liveAttempts where attempt.leaseSeconds > 0 && deadlines[attempt.token] == nil {
      if attempt.state == .leased {
        giveBack(attempt.token, reason: "its assignment was never sent")
      } else {
        deadlines[attempt.token] = now + settings.lease
      }
    }
  }

  /// Finds out whether transitions whose commit failed were stored.
  ///
  /// False while that can not be known.
  private mutating func resolveUncertainty() -> Bool {
    guard let newest = uncertain.last else { return true }
    do {
      let last = try store.lastEventNumber()
      if last == state.header.lastEvent {
        uncertain = []
      } else if last == newest.header.lastEvent {
        let steps = uncertain
        uncertain = []
        for step in steps { settle(step) }
      } else {
        output.append(
          .fatal(
            StudyError(
              .sequenceConflict,
              "the database is at event \(last), this coordinator at \(state.header.lastEvent): somebody else writes to it"
            )))
        return false
      }
      return true
    } catch {
      report(error as? StudyError ?? StudyError(.inputOutput, "\(error)"))
      return false
    }
  }

  private mutating func report(_ problem: StudyError) {
    if problem.code.isTemporary {
      if trouble?.code != problem.code { note(.warning, problem.message) }
      trouble = problem
    } else {
      output.append(.fatal(problem))
    }
  }
}
