import Study

extension WorkerSession {
  /// Where the session stands.
  ///
  /// A worker goes on with its trial while it is not connected, so that the connection and the work are two parts of the
  /// state; a session that has left has neither.
  package enum State: Sendable {
    /// Says hello until it is welcome.
    case connecting(Connecting, Work)
    /// The coordinator has welcomed it.
    case connected(Link, Work)
    case left(Departure)
  }

  /// The hellos that have no answer so far.
  package struct Connecting: Sendable {
    var hellos = 0
    /// How long to wait for an answer to the next one.
    var pause: Duration
    /// When the next one is to be said.
    var due: Duration = .zero
    /// When the operator is told that nobody answers; nil before the first hello.
    var warningDue: Duration?
    /// Whether an earlier hello of this session was welcome.
    var wasWelcomed: Bool

    init(pause: Duration, wasWelcomed: Bool) {
      self.pause = pause
      self.wasWelcomed = wasWelcomed
    }
  }

  /// A connection over which the coordinator has welcomed the worker.
  package struct Link: Sendable {
    /// The interval that the welcome asks for.
    var heartbeat: Duration
    var heartbeatDue: Duration
    /// When the coordinator was heard last.
    var heard: Duration
    /// Whether the coordinator takes frames of version 2, as far as is known: an older one refuses the first.
    var speaksOfDevice = true
  }

  /// What the worker does for the study, and for how much longer.
  package enum Work: Sendable {
    /// Takes trials.
    case serving(Activity)
    /// The coordinator has asked it to leave: finishes its trial and takes no other.
    case draining(reason: String, Activity)
    /// A signal has asked it to leave: what it executes is being interrupted.
    case stopping(reason: String, Interrupted)
    /// A signal has asked it to leave and nothing is executed for the study: waits for the acknowledgement of its
    /// outcomes, at most until the given time.
    case flushing(reason: String, until: Duration, discarding: AttemptToken?)
  }

  /// What the trainer executes.
  package enum Activity: Sendable {
    case idle
    case executing(Attempt)
    /// An attempt of another study, which is being interrupted; what comes of it is dropped.
    case discarding(AttemptToken)
  }

  /// What the trainer executes until its interruption has arrived.
  package enum Interrupted: Sendable {
    case executing(Attempt)
    case discarding(AttemptToken)
  }

  /// An attempt in execution.
  package struct Attempt: Sendable {
    var assignment: Assignment
    var hasStarted = false
    var progress: AttemptProgress?

    var token: AttemptToken { assignment.attempt }

    init(_ assignment: Assignment) { self.assignment = assignment }
  }
}

extension WorkerSession.Work {
  /// The attempt in execution.
  var attempt: WorkerSession.Attempt? {
    switch self {
    case .serving(.executing(let attempt)), .draining(_, .executing(let attempt)),
      .stopping(_, .executing(let attempt)):
      attempt
    case .serving, .draining, .stopping, .flushing: nil
    }
  }

  /// The attempt of another study that may still be executed.
  var discarded: AttemptToken? {
    switch self {
    case .serving(.discarding(let token)), .draining(_, .discarding(let token)), .stopping(_, .discarding(let token)):
      token
    case .flushing(_, _, let token): token
    case .serving, .draining, .stopping: nil
    }
  }

  /// The same work with a change of the attempt in execution.
  func updating(_ change: (inout WorkerSession.Attempt) -> Void) -> Self {
    guard var attempt else { return self }
    change(&attempt)
    return switch self {
    case .serving: .serving(.executing(attempt))
    case .draining(let reason, _): .draining(reason: reason, .executing(attempt))
    case .stopping(let reason, _): .stopping(reason: reason, .executing(attempt))
    case .flushing: self
    }
  }

  /// The same work where the attempt in execution belongs to a study that was started over.
  func discarding() -> Self {
    guard let attempt else { return self }
    return switch self {
    case .serving: .serving(.discarding(attempt.token))
    case .draining(let reason, _): .draining(reason: reason, .discarding(attempt.token))
    case .stopping(let reason, _): .stopping(reason: reason, .discarding(attempt.token))
    case .flushing: self
    }
  }

  /// The same work when nothing is executed any more.
  func resting(now: Duration) -> Self {
    switch self {
    case .serving: .serving(.idle)
    case .draining(let reason, _): .draining(reason: reason, .idle)
    case .stopping(let reason, _):
      .flushing(reason: reason, until: now + WorkerSession.flushTime, discarding: nil)
    case .flushing(let reason, let until, _): .flushing(reason: reason, until: until, discarding: nil)
    }
  }

  /// When the worker leaves, acknowledged or not; nil where nothing presses.
  var deadline: Duration? {
    if case .flushing(_, let until, _) = self { until } else { nil }
  }
}

extension WorkerSession {
  /// What the worker does; nil once it has left.
  var work: Work? {
    switch state {
    case .connecting(_, let work), .connected(_, let work): work
    case .left: nil
    }
  }

  /// Whether the coordinator has welcomed the worker and was heard of since.
  package var isConnected: Bool { if case .connected = state { true } else { false } }
  /// Whether the worker waits for a welcome.
  package var isConnecting: Bool { if case .connecting = state { true } else { false } }
  /// The attempt in execution.
  package var current: Assignment? { work?.attempt?.assignment }
  /// Outcomes that wait for their acknowledgement, oldest first.
  package var retained: [Submission] { outbox.entries.map(\.submission) }

  /// How the worker stands, as its heartbeats say.
  package var phase: WorkerPhase {
    switch work {
    case .serving(.executing(let attempt)): attempt.hasStarted ? .running : .preparing
    case .serving(.idle), .serving(.discarding): isEvaluatorReady && !outbox.isFull ? .idle : .preparing
    case .draining, .stopping, .flushing, nil: .draining
    }
  }

  /// When ``advance(to:)`` has something to do, at the latest.
  package var nextDeadline: Duration {
    switch state {
    case .connecting(let connecting, let work): min(connecting.due, work.deadline ?? connecting.due)
    case .connected(let link, let work):
      min(outbox.nextDue ?? link.heartbeatDue, link.heartbeatDue, work.deadline ?? link.heartbeatDue)
    case .left: .seconds(Int64.max / 2)
    }
  }

  mutating func set(_ work: Work) {
    switch state {
    case .connecting(let connecting, _): state = .connecting(connecting, work)
    case .connected(let link, _): state = .connected(link, work)
    case .left: break
    }
  }
}
