import Study

/// What a caller has to do after each input, in the order of the fields.
extension CoordinatorSession {
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

  /// After a message of the worker.
  package enum Reception: Sendable, Equatable {
    case nothing
    case reply([Envelope])
    /// A worker introduced itself and nothing speaks against it so far: decide and call ``admit(continues:)`` or
    /// ``refuse(_:)``. The attempts that the study believes leased to this worker name, and that are neither `running` nor
    /// `retained` in the hello, are lost: release them.
    case introduced(Hello, warnings: [String])
    /// The worker is not let in; the session is over.
    case refused(Envelope, Closure)
    case alive(SignOfLife)
    /// Commit this outcome, then call ``acknowledge(_:_:)``. Idempotent by token; may come again for the same token.
    case submit(id: Int64, Submission)
    /// Store this piece of an artifact, then call ``acknowledge(_:_:)``.
    case store(id: Int64, ArtifactChunk)
    /// The worker has left. Nothing of the attempt that was on its way or in its hands will come: release it, uncounted.
    case left(lost: AttemptToken?, Closure)
  }

  /// What a message says about how the worker stands.
  package struct SignOfLife: Sendable, Equatable {
    /// Send this first.
    package var acknowledgement: Envelope?
    /// How the worker's device stands, for display.
    package var device: DeviceStatus?
    package var news = News.none
    /// Ask the worker once more to leave.
    package var drain: Envelope?
  }

  /// What is new about the worker.
  package enum News: Sendable, Equatable {
    case none
    /// It waits for a trial: call ``assign(_:now:)``, now or later. Not repeated until it was busy in between.
    case idle
    case attempt(AttemptNews)
  }

  /// What a message says about the attempt in execution.
  package struct AttemptNews: Sendable, Equatable {
    /// Renew its lease.
    package var attempt: AttemptToken
    /// The trainer has begun: record the attempt as started (idempotent).
    package var hasBegun = false
    /// Store a vector of intermediate values (idempotent by attempt and step), between the two above.
    package var report: IntermediateReport?
    /// How far the attempt has come, for display.
    package var progress: AttemptProgress?
  }

  /// After a frame that could not be read.
  package enum FrameRefusal: Sendable, Equatable {
    case nothing
    /// Tell the worker; the text is for the log.
    case refused(Envelope, log: String)
    /// The same, once too often: the session is over.
    case closed(Envelope, log: String, Closure)
    /// The outcome that arrived as message `id` breaks the protocol's limits, and would every time it is sent: end the
    /// attempt with this reason, then call ``acknowledge(_:_:)``.
    case refusedOutcome(Envelope, id: Int64, AttemptToken, reason: String)
    /// An intermediate report of the attempt breaks the protocol's limits and is left out.
    case refusedReport(Envelope, AttemptToken, reason: String)
  }

  /// After time has passed.
  package enum TickResult: Sendable, Equatable {
    case nothing
    /// Send the assignment again.
    case resend(Envelope)
    /// The session is over: nothing was heard for longer than the lease.
    case closed(Closure)
  }

  /// After a worker was let in.
  package struct Admission: Sendable, Equatable {
    /// The worker's identity for leases.
    package var identity: WorkerIdentity
    package var welcome: Envelope
    /// What becomes of the attempt that the worker says it is executing.
    package var running: Running?
    /// Ask the worker to leave.
    package var drain: Envelope?
  }

  package enum Running: Sendable, Equatable {
    /// It holds its lease: renew it.
    case goesOn(AttemptToken)
    /// Send this to stop it.
    case stop(Envelope)
  }
}
