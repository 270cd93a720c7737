import Study

/// The worker's side of its conversation with the coordinator: pure, no clock, no socket, no process.
///
/// Feed it events with the time of a monotonic clock and carry out the actions it returns, in order.
package struct WorkerSession: Sendable {
  /// Timing.
  ///
  /// Values that the welcome brings (heartbeat, lease) replace the ones here.
  package struct Settings: Sendable {
    /// First pause before a hello that was not answered is sent again.
    ///
    /// Default 1 s; doubles up to `helloMaximum`.
    package var helloInterval: Duration = .seconds(1)
    package var helloMaximum: Duration = .seconds(15)
    /// After how many unanswered hellos the connection is made anew.
    ///
    /// Default 4.
    package var hellosPerConnection = 4
    /// First pause before an unacknowledged outcome is sent again.
    ///
    /// Default 2 s; doubles up to `submissionMaximum`.
    package var submissionInterval: Duration = .seconds(2)
    package var submissionMaximum: Duration = .seconds(30)
    /// Heartbeat interval until the first welcome.
    ///
    /// Default 5 s.
    package var heartbeat: Duration = .seconds(5)
    /// After how many heartbeats without any word from the coordinator the worker says hello again.
    ///
    /// Default 3.
    package var silentHeartbeats = 3
    /// Seed of the jitter of the pauses (each is lengthened by 0...25 %).
    ///
    /// Give every process its own.
    package var jitterSeed: UInt64 = 0

    package init() {}
  }

  /// What happens to the session.
  package enum Event: Sendable {
    /// A message arrived.
    case received(Envelope)
    /// A frame arrived that could not be read.
    case malformed(WireError)
    /// Time has passed; call at ``WorkerSession/nextDeadline`` or every second.
    case clock
    /// The evaluator has loaded base and data: trials are welcome.
    case evaluatorReady
    /// The evaluator is not available (trainer being replaced): no trials until `evaluatorReady`.
    case evaluatorLost
    /// The trainer has begun to execute the attempt.
    case started(AttemptToken)
    /// How far the attempt has come.
    case progress(AttemptToken, AttemptProgress)
    /// A vector of intermediate values.
    case report(IntermediateReport)
    /// How the device stands: goes with the heartbeats from now on.
    case device(DeviceStatus?)
    /// The attempt is over.
    case finished(Submission)
    /// The transport could not deliver: the coordinator is away, or does not know this connection.
    case undeliverable
    /// The transport has a finished connection again: no need to wait for the next hello's time.
    case connected
    /// An artifact chunk is to be sent; acknowledged chunks come back as `chunkAcknowledged`.
    case chunk(ArtifactChunk)
    /// Whether artifacts wait to be sent: a draining worker stays until they have arrived.
    case uploading(Bool)
    /// The worker was asked to leave (signal): releases the present attempt, then leaves.
    case stop(String)
  }

  /// What the worker has to do.
  package enum Action: Sendable, Equatable {
    case send(Envelope)
    /// Write this outcome to the local file before anything else: it must survive a restart of the worker.
    case keep(Submission)
    /// The outcome of this attempt is settled: remove it from the local file.
    case forget(AttemptToken, Acknowledgement.Verdict)
    /// Execute this assignment.
    case execute(Assignment)
    /// Stop executing this attempt; answer with `finished(.released(…))`.
    case interrupt(AttemptToken, ReleaseReport.Reason)
    /// The chunk that was sent as message `id` has arrived.
    case chunkAcknowledged(sha256: String, offset: Int, Acknowledgement.Verdict)
    /// The connection is of no use: close the socket and open a new one with a new routing id.
    case reconnect
    /// The coordinator has welcomed the worker.
    case welcomed(Welcome)
    /// No answer so far: tell the operator (once per minute), with what the session knows.
    case unanswered(hellos: Int, everWelcomed: Bool)
    /// The session is over: leave with this reason.
    case leave(Departure)
    /// Worth a line in the log.
    case log(String)
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

  /// Where the session stands.
  package enum State: Sendable, Equatable {
    case connecting, active, left
  }

  package var settings: Settings
  package internal(set) var state = State.connecting
  /// The attempt in execution.
  package internal(set) var current: Assignment?
  /// Outcomes that wait for their acknowledgement, oldest first.
  package var retained: [Submission] { outbox.map(\.submission) }
  /// How the worker stands, as its heartbeats say.
  package var phase: WorkerPhase {
    if isDraining || stopReason != nil { return .draining }
    if current != nil { return hasStarted ? .running : .preparing }
    return isEvaluatorReady && outbox.count < Self.outboxLimit ? .idle : .preparing
  }

  /// An outcome on its way.
  struct Outgoing: Sendable {
    var submission: Submission
    /// Number of its message in this session: the same every time it is sent.
    var id: Int64
    var pause: Duration
    var due: Duration
  }

  /// With so many unacknowledged outcomes the worker asks for no more work.
  static let outboxLimit = 64
  /// How long a stopping worker waits for the acknowledgement of what it releases.
  static let stopGrace: Duration = .seconds(3)

  var hello: Hello
  var outbox: [Outgoing] = []
  var nextID: Int64 = 1
  var draws: UInt64 = 0
  var isEvaluatorReady = false
  var hasStarted = false
  var progress: AttemptProgress?
  var device: DeviceStatus?
  /// Whether the coordinator takes frames of version 2, as far as is known: an older one refuses the first.
  var speaksOfDevice = true
  var isDraining = false
  var isUploading = false
  var drainReason = ""
  var stopReason: String?
  var leaveBy: Duration?
  /// Attempts that are over: an assignment of one of them is a late copy.
  ///
  /// The last 256.
  var finished: [AttemptToken] = []
  /// An attempt of another study that the trainer may still execute; what comes of it is dropped.
  var orphan: AttemptToken?
  /// Messages whose acknowledgement means a chunk has arrived.
  var chunks: [Int64: (sha256: String, offset: Int)] = [:]

  var hellos = 0
  var helloPause: Duration
  var helloDue: Duration = .zero
  var everWelcomed = false
  var unansweredDue: Duration?
  var lastHeard: Duration = .zero
  var heartbeatDue: Duration = .zero

  /// - Parameters:
  ///   - hello: who the worker is; `running` and `retained` are filled in by the session.
  ///   - retained: outcomes read from the local file, with the study they belong to in `hello.studyIdentifier`.
  package init(settings: Settings = Settings(), hello: Hello, retained: [Submission] = []) {
    self.settings = settings
    self.hello = hello
    helloPause = settings.helloInterval
    for submission in retained { enqueue(submission, now: .zero) }
  }

  /// When `clock` has something to do, at the latest.
  package var nextDeadline: Duration {
    switch state {
    case .connecting: min(helloDue, leaveBy ?? helloDue)
    case .active: min(outbox.map(\.due).min() ?? heartbeatDue, heartbeatDue, leaveBy ?? heartbeatDue)
    case .left: .seconds(Int64.max / 2)
    }
  }

  /// Handles one event and returns what to do, in order.
  ///
  /// Begin with `clock`: it says hello.
  package mutating func handle(_ event: Event, now: Duration) -> [Action] {
    guard state != .left else { return [] }
    switch event {
    case .received(let envelope):
      lastHeard = now
      return receive(envelope, now: now)
    case .malformed(let error): return [.log("refused a frame of the coordinator: \(error)")]
    case .clock: return tick(now: now)
    case .evaluatorReady:
      isEvaluatorReady = true
      return askForWork()
    case .evaluatorLost:
      isEvaluatorReady = false
      return []
    case .started(let token):
      guard current?.attempt == token else { return [] }
      hasStarted = true
      return state == .active ? [send(.start(AttemptReference(attempt: token)))] : []
    case .progress(let token, let progress):
      if current?.attempt == token { self.progress = progress }
      return []
    case .report(let report):
      return state == .active && current?.attempt == report.token ? [send(.report(report))] : []
    case .device(let status):
      device = status
      return []
    case .finished(let submission): return finish(submission, now: now)
    case .undeliverable: return []
    case .connected:
      helloPause = settings.helloInterval
      return state == .connecting ? sayHello(now: now) : []
    case .uploading(let flag):
      isUploading = flag
      return leaveIfDone()
    case .chunk(let chunk):
      guard state == .active else { return [] }
      chunks[nextID] = (chunk.sha256, chunk.offset)
      return [send(.artifactChunk(chunk))]
    case .stop(let reason): return stop(reason, now: now)
    }
  }
}
