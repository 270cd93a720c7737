import Study

/// The coordinator's side of the conversation with one connection of one worker: pure, no clock, no socket.
///
/// Feed it events with the time of a monotonic clock and carry out the actions it returns, in order. One session
/// belongs to one routing id; a worker that reconnects gets a new one, and the coordinator drops the older session of
/// the same worker name (``Action/introduced(_:warnings:)`` says whom it met).
package struct CoordinatorSession: Sendable {
  /// What the session needs to know about the study.
  package struct Settings: Sendable {
    package var study: String
    package var studyIdentifier: String
    /// Unique per coordinator process.
    package var session: String
    package var build: String
    package var fingerprints: Fingerprints
    /// How often workers are to send heartbeats.
    ///
    /// Default 5 s.
    package var heartbeat: Duration = .seconds(5)
    /// How long a lease lasts without a sign of life.
    ///
    /// Default 60 s.
    package var lease: Duration = .seconds(60)
    /// After how long an assignment that was not accepted is sent again.
    ///
    /// Default 2 s.
    package var resend: Duration = .seconds(2)
    /// After how many malformed frames the connection is no longer listened to.
    ///
    /// Default 16.
    package var violationLimit = 16

    package init(
      study: String, studyIdentifier: String, session: String, build: String, fingerprints: Fingerprints
    ) {
      self.study = study
      self.studyIdentifier = studyIdentifier
      self.session = session
      self.build = build
      self.fingerprints = fingerprints
    }
  }

  /// What happens to the session.
  package enum Event: Sendable {
    /// A message arrived.
    case received(Envelope)
    /// A frame arrived that could not be read.
    case malformed(WireError)
    /// Time has passed; call at least once per heartbeat interval.
    case clock
    /// The answer to `introduced`: `continues` tells whether the attempt that the worker says it is executing still
    /// holds its lease (ignored where the hello names none).
    case admit(continues: Bool)
    /// The other answer to `introduced`.
    case refuse(Refusal)
    /// Give the worker a trial; only after `idle`.
    case assign(Assignment)
    /// The outcome that arrived as message `id` is committed (or found to be known) with this verdict.
    case settled(id: Int64, Acknowledgement.Verdict)
    /// Stop an attempt of this worker.
    case cancel(AttemptToken, Cancellation.Reason)
    /// Ask the worker to leave.
    case drain(Drain)
    /// Send something that changes nothing, to see whether the connection still stands.
    case probe
  }

  /// What the coordinator has to do.
  package enum Action: Sendable, Equatable {
    /// Send to this connection.
    case send(Envelope)
    /// A worker introduced itself and nothing speaks against it so far: decide and answer with `admit` or `refuse`.
    /// The attempts that the study believes leased to this worker name, and that are neither `running` nor `retained`
    /// in the hello, are lost: release them.
    case introduced(Hello, warnings: [String])
    /// The worker is admitted; its identity for leases.
    case admitted(WorkerIdentity)
    /// The worker waits for a trial: answer, now or later, with `assign`. Not repeated until it was busy in between.
    case idle
    /// Renew the lease of this attempt.
    case renew(AttemptToken)
    /// The trainer has begun: record the attempt as started (idempotent).
    case started(AttemptToken)
    /// How far the attempt has come, for display.
    case progress(AttemptToken, AttemptProgress)
    /// How the worker's device stands, for display.
    case device(DeviceStatus)
    /// Store a vector of intermediate values (idempotent by attempt and step).
    case report(IntermediateReport)
    /// Commit this outcome, then answer with `settled(id:)`. Idempotent by token; may come again for the same token.
    case submit(id: Int64, Submission)
    /// The outcome that arrived as message `id` breaks the protocol's limits, and would every time it is sent: end the
    /// attempt with this reason, then answer with `settled(id:)`.
    case refusedOutcome(id: Int64, AttemptToken, reason: String)
    /// An intermediate report of the attempt breaks the protocol's limits and is left out.
    case refusedReport(AttemptToken, reason: String)
    /// Store this piece of an artifact; the session has acknowledged nothing yet: answer with `settled(id:)`.
    case store(id: Int64, ArtifactChunk)
    /// The worker left while this attempt was on its way or in its hands, and nothing of it will come: release it,
    /// not counted.
    case lost(AttemptToken)
    /// The connection is over; drop the session. Leases stay until they expire, unless the worker said goodbye.
    case closed(Closure)
    /// Worth a line in the log.
    case log(String)
  }

  /// Why a session is over.
  package enum Closure: Sendable, Equatable {
    /// The worker left on purpose.
    case goodbye(String)
    /// Nothing was heard for longer than the lease.
    case silent
    /// The worker was refused.
    case refused(Refusal.Code)
    /// Too many malformed frames: do not listen to this connection any more.
    case violations
  }

  /// Where the session stands.
  package enum State: Sendable, Equatable {
    case expectingHello, deciding, active, closed
  }

  package let settings: Settings
  package internal(set) var state = State.expectingHello
  /// The worker, once it has said hello.
  package internal(set) var hello: Hello?
  /// The attempt that this session believes the worker holds.
  package internal(set) var attempt: AttemptToken?
  /// The newest attempt that it was given or came with, whatever became of it.
  var lastAttempt: AttemptToken?

  /// An assignment that was sent and is not known to have arrived.
  struct Outstanding: Sendable {
    var envelope: Envelope
    var attempt: AttemptToken
    var sent: Duration
  }

  var nextID: Int64 = 1
  var lastHeard: Duration
  var outstanding: Outstanding?
  var violations = 0
  var isIdle = false
  var drain: Drain?
  /// Attempts that the worker was told to stop, while it may still execute them; the newest ``cancelledLimit``.
  var cancelled: [AttemptToken: Cancellation.Reason] = [:]
  var cancelledOrder: [AttemptToken] = []
  /// One connection holds one attempt at a time: more than a few that it should stop are made up.
  static let cancelledLimit = 64
  /// Attempts for which `started` has been returned.
  var startedAttempt: AttemptToken?

  /// - Parameter now: time of a monotonic clock since any fixed origin.
  package init(settings: Settings, now: Duration) {
    self.settings = settings
    lastHeard = now
  }

  /// Handles one event and returns what to do, in order.
  package mutating func handle(_ event: Event, now: Duration) -> [Action] {
    guard state != .closed else { return [] }
    switch event {
    case .received(let envelope):
      lastHeard = now
      return receive(envelope, now: now)
    case .malformed(let error):
      lastHeard = now
      return refuseFrame(error)
    case .clock: return tick(now: now)
    case .admit(let continues): return admit(continues: continues)
    case .refuse(let refusal): return refuse(refusal)
    case .assign(let assignment): return assign(assignment, now: now)
    case .settled(let id, let verdict): return [send(.ack(Acknowledgement(of: id, verdict: verdict)))]
    case .cancel(let attempt, let reason): return cancel(attempt, reason)
    case .probe: return state == .closed ? [] : [send(.ack(Acknowledgement(of: 0, verdict: .accepted)))]
    case .drain(let request):
      drain = request
      isIdle = false
      return state == .active ? [send(.drain(request))] : []
    }
  }

  /// How many stopped attempts are remembered.
  package var rememberedCancellations: Int { cancelled.count }

  /// When the worker was heard last.
  package var heard: Duration { lastHeard }

  /// Moves the session's memory of the last sign of life forward by `gap`: call when the coordinator itself was
  /// stopped (its own clock ticks came late), so that workers are not declared silent for the coordinator's fault.
  package mutating func forgive(_ gap: Duration, now: Duration) {
    lastHeard = min(lastHeard + gap, now)
  }
}
