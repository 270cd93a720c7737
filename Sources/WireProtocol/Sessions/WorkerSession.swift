import Study

/// The worker's side of its conversation with the coordinator: pure, no clock, no socket, no process.
///
/// Each input is a method of its own; `now` is the time of a monotonic clock, and the result says what the caller has to
/// do. Begin with ``advance(to:)``: it says hello.
package struct WorkerSession: Sendable {
  /// Timing.
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
    /// Heartbeat interval until the first welcome, which brings its own.
    ///
    /// Default 5 s.
    package var heartbeat: Duration = .seconds(5)
    /// After how many heartbeats without a message of the coordinator the worker says hello again.
    ///
    /// Default 3.
    package var silentHeartbeats = 3
    /// Seed of the jitter of the pauses (each is lengthened by 0...25 %).
    ///
    /// Give every process its own.
    package var jitterSeed: UInt64 = 0

    package init() {}
  }

  /// How long a stopping worker waits for the acknowledgement of what it releases.
  static let flushTime: Duration = .seconds(3)

  package var settings: Settings
  package internal(set) var state: State
  /// How the device stands: goes with the heartbeats from now on.
  package var device: DeviceStatus?
  /// Whether artifacts wait to be sent: a draining worker stays until they have arrived.
  var isUploading = false
  /// Whether the evaluator has loaded base and data.
  var isEvaluatorReady = false
  var outbox = Outbox()
  var hello: Hello
  var jitter: Jitter
  var nextID: Int64 = 1
  /// Messages whose acknowledgement means that a chunk has arrived.
  var chunks: [Int64: (sha256: String, offset: Int)] = [:]

  /// - Parameters:
  ///   - hello: who the worker is; `running` and `retained` are filled in by the session.
  ///   - retained: outcomes read from the local file, with the study they belong to in `hello.studyIdentifier`.
  package init(settings: Settings = Settings(), hello: Hello, retained: [Submission] = []) {
    self.settings = settings
    self.hello = hello
    state = .connecting(Connecting(pause: settings.helloInterval, wasWelcomed: false), .serving(.idle))
    jitter = Jitter(seed: settings.jitterSeed)
    for submission in retained { enqueue(submission, now: .zero) }
  }

  mutating func envelope(_ message: Message) -> Envelope {
    defer { nextID += 1 }
    return Envelope(id: nextID, message: message)
  }

  mutating func enqueue(_ submission: Submission, now: Duration) {
    outbox.add(submission, id: nextID, pause: settings.submissionInterval, due: now)
    nextID += 1
  }

  mutating func sendDueOutcomes(now: Duration) -> [Envelope] {
    outbox.sendDue(now: now, maximum: settings.submissionMaximum, &jitter)
  }

  /// Keeps an outcome until it is acknowledged; gives the messages to send now.
  mutating func retain(_ submission: Submission, now: Duration) -> [Envelope] {
    enqueue(submission, now: now)
    return isConnected ? sendDueOutcomes(now: now) : []
  }

  /// The request for a trial, where the worker is free.
  mutating func requestWork() -> Envelope? {
    isConnected && phase == .idle ? envelope(.ready) : nil
  }

  // MARK: Leaving

  /// Leaves if the worker was asked to and nothing is left to do.
  mutating func leaveIfDone() -> Farewell? {
    guard let work, work.attempt == nil, outbox.isEmpty else { return nil }
    switch work {
    case .serving: return nil
    case .draining(let reason, _): return isUploading ? nil : leave(.drained(reason))
    case .stopping(let reason, _), .flushing(let reason, _, _): return leave(.stopped(reason))
    }
  }

  mutating func leave(_ departure: Departure) -> Farewell {
    let reason =
      switch departure {
      case .stopped(let text), .drained(let text): text
      case .refused(let refusal): refusal.code.rawValue
      }
    let goodbye = isConnected ? envelope(.goodbye(Notice(reason: reason.clipped(toBytes: 1000)))) : nil
    state = .left(departure)
    return Farewell(goodbye: goodbye, departure: departure)
  }
}
