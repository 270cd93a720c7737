import Study

/// The coordinator's side of the conversation with one connection of one worker: pure, no clock, no socket.
///
/// Each input is a method of its own; `now` is the time of a monotonic clock, and the result says what the caller has to
/// do. One session belongs to one routing id; a worker that reconnects gets a new one, and the coordinator drops the
/// older session of the same worker name (``Reception/introduced(_:warnings:)`` says whom it met).
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

  /// Where the session stands.
  package enum State: Sendable {
    /// Nothing but a hello is listened to.
    case expectingHello
    /// The hello is in order so far; the coordinator decides whether to let the worker in.
    case deciding(Hello)
    /// The worker is welcome.
    case active(Hello, Work)
    /// The session is over; what else arrives is not listened to. The worker, where it has said hello.
    case closed(Hello?)
  }

  /// What the worker is believed to do.
  ///
  /// An old message may arrive late, so that even a worker that waits for a trial may be
  /// believed to hold an attempt, until it is given the next one.
  package enum Work: Sendable {
    /// An assignment was sent and is not known to have arrived: it is sent again.
    case assigned(Assigned)
    /// It does something, perhaps an attempt, or has not asked for a trial so far.
    case busy(AttemptToken?)
    /// It waits for a trial.
    case idle(AttemptToken?)

    /// The attempt that the worker is believed to hold.
    var attempt: AttemptToken? {
      switch self {
      case .assigned(let assigned): assigned.attempt
      case .busy(let token), .idle(let token): token
      }
    }
  }

  /// An assignment on its way.
  package struct Assigned: Sendable {
    var envelope: Envelope
    var attempt: AttemptToken
    /// When it was sent last.
    var sent: Duration
  }

  package let settings: Settings
  package internal(set) var state = State.expectingHello
  /// When the worker was heard last.
  package internal(set) var heard: Duration
  var nextID: Int64 = 1
  var violations = 0
  /// What the worker is asked with, now and whenever it is let in; nil while it may stay.
  var drainRequest: Drain?
  var stopped = StoppedAttempts()
  /// The newest attempt that the worker was given or came with, whatever became of it.
  var newestAttempt: AttemptToken?
  /// The newest attempt whose beginning has been told.
  var startedAttempt: AttemptToken?

  /// - Parameter now: time of a monotonic clock since any fixed origin.
  package init(settings: Settings, now: Duration) {
    self.settings = settings
    heard = now
  }

  /// The worker, once it has said hello.
  package var hello: Hello? {
    switch state {
    case .expectingHello: nil
    case .deciding(let hello), .active(let hello, _): hello
    case .closed(let hello): hello
    }
  }

  /// What the worker is believed to do; nil where it is not let in.
  var work: Work? { if case .active(_, let work) = state { work } else { nil } }
  /// Whether the worker waits for a trial.
  package var isIdle: Bool { if case .active(_, .idle) = state { true } else { false } }
  /// How many stopped attempts are remembered.
  package var rememberedCancellations: Int { stopped.count }

  /// Moves the time of the last sign of life forward by `gap`: call when the coordinator itself was stopped (its own clock
  /// ticks came late), so that workers are not declared silent for the coordinator's fault.
  package mutating func forgive(_ gap: Duration, now: Duration) { heard = min(heard + gap, now) }

  mutating func envelope(_ message: Message) -> Envelope {
    defer { nextID += 1 }
    return Envelope(id: nextID, message: message)
  }

  mutating func set(_ work: Work) {
    if case .active(let hello, _) = state { state = .active(hello, work) }
  }

  mutating func close() { state = .closed(hello) }
}
