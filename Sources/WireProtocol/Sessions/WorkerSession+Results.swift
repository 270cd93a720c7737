import Study

/// What a caller has to do after each input, in the order of the fields.
extension WorkerSession {
  /// A hello, and what is to be done before it.
  package struct Greeting: Sendable, Equatable {
    /// Nobody has answered so far: tell the operator (once per minute).
    package var unanswered: Unanswered?
    /// The connection is of no use: close the socket and open a new one with a new routing id.
    package var needsNewConnection: Bool
    package var hello: Envelope
  }

  /// How often the worker has said hello in vain.
  package struct Unanswered: Sendable, Equatable {
    package var hellos: Int
    /// Whether an earlier hello of this session was welcome.
    package var wasWelcomed: Bool
  }

  /// The session is over: say goodbye, where there is anybody to hear it, and leave.
  package struct Farewell: Sendable, Equatable {
    package var goodbye: Envelope?
    package var departure: Departure
  }

  /// Why the worker leaves.
  package enum Departure: Sendable, Equatable {
    /// Asked by a signal; the text names it.
    case stopped(String)
    /// Asked by the coordinator.
    case drained(String)
    /// Refused for good.
    case refused(Refusal)
  }

  /// What follows when something is over.
  package enum Next: Sendable, Equatable {
    case wait
    /// Ask for a trial.
    case ask(Envelope)
    case leave(Farewell)
  }

  /// After a message of the coordinator.
  package enum Reception: Sendable, Equatable {
    case nothing
    /// The coordinator has welcomed the worker. What belongs to a study that was started over is to be dropped first.
    case welcomed(Welcome, dropped: Dropped?, send: [Envelope])
    /// Accept the assignment, then execute it.
    case execute(Assignment, acceptance: Envelope)
    /// An assignment that came again is answered again.
    case repeated([Envelope])
    /// Write the outcome to the local file before it is sent: it must survive a restart of the worker.
    case retain(Submission, send: [Envelope])
    /// Stop executing the attempt, then call ``finish(_:now:)`` with what it ended with.
    case interrupt(AttemptToken, ReleaseReport.Reason)
    /// The outcome of this attempt is settled: remove it from the local file.
    case acknowledged(AttemptToken, Acknowledgement.Verdict, Next)
    /// A chunk of an artifact has arrived.
    case chunkAcknowledged(sha256: String, offset: Int, Acknowledgement.Verdict)
    /// The coordinator has refused a message, for a reason to be logged; the worker goes on.
    case refused(String, send: Envelope?)
    case leave(Farewell)
  }

  /// What belongs to a study that was started over.
  package struct Dropped: Sendable, Equatable {
    /// Remove these outcomes from the local file.
    package var outcomes: [AttemptToken]
    /// Stop executing this attempt.
    package var attempt: AttemptToken?
  }

  /// After time has passed.
  package enum TickResult: Sendable, Equatable {
    case nothing
    case send([Envelope])
    case greet(Greeting)
    /// The coordinator was not heard of for too long: say hello again.
    case silent(hello: Envelope)
    case leave(Farewell)
  }

  /// After an attempt has ended.
  package enum FinishResult: Sendable, Equatable {
    /// It is not the attempt in execution.
    case unknown
    /// Write the outcome to the local file before it is sent: it must survive a restart of the worker.
    case retain(Submission, send: [Envelope])
    /// It belongs to a study that was started over; nothing of it is kept.
    case dropped(Next)
  }

  /// After a signal.
  package enum StopResult: Sendable, Equatable {
    case wait
    /// Stop executing the attempt, then call ``finish(_:now:)`` with what it ended with.
    case interrupt(AttemptToken, ReleaseReport.Reason)
    case leave(Farewell)
  }
}
