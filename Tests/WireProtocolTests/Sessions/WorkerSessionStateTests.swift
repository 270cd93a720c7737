import BayesianOptimization
import Study
import TestSupport
import Testing

@testable import WireProtocol

/// Every state of a worker's session with every input that can change it.
@Suite("States of a worker's session", .bounded) struct WorkerSessionStateTests {
  /// What follows from each input (columns) in each state (rows).
  ///
  /// Prefixes: C connecting, L connected; d draining, s stopping. I idle, E executing, D discarding, F flushing; X left.
  /// In dI and F one outcome waits for its acknowledgement.
  private static let table = StateTable(
    """
    state  welcome refused lost assign cancel drain acknowledged silence finish stop
    C.I    L.I     X       =    =      =      X     =            =       =      X
    C.E    L.E     X       =    =      =      C.dE  =            =       C.I    C.sE
    C.D    L.D     X       =    =      =      X     =            =       C.I    X
    C.dI   L.dI    X       =    =      =      =     X            =       =      X
    C.dE   L.dE    X       =    =      =      =     =            =       C.dI   C.sE
    C.dD   L.dD    X       =    =      =      X     =            =       X      X
    C.sE   L.sE    X       =    =      =      =     =            =       C.F    =
    C.sD   L.sD    X       =    =      =      X     =            =       X      =
    C.F    L.F     X       =    =      =      =     X            X       =      =
    L.I    =       X       C.I  L.E    =      X     =            C.I     =      X
    L.E    =       X       C.E  =      =      L.dE  =            C.E     L.I    L.sE
    L.D    =       X       C.D  =      =      X     =            C.D     L.I    X
    L.dI   =       X       C.dI =      =      =     X            C.dI    =      L.F
    L.dE   =       X       C.dE =      =      =     =            C.dE    L.dI   L.sE
    L.dD   =       X       C.dD =      =      X     =            C.dD    X      X
    L.sE   =       X       C.sE =      =      =     =            C.sE    L.F    =
    L.sD   =       X       C.sD =      =      X     =            C.sD    X      =
    L.F    =       X       C.F  =      =      =     X            X       =      =
    X      =       =       =    =      =      =     =            =       =      =
    """)

  private static let token = AttemptToken(7)
  private static let lost = Refusal(.helloExpected, "say hello")

  private static func receive(_ session: inout WorkerSession, _ message: Message) -> WorkerSession.Reception {
    session.receive(Envelope(id: 1, message: message), now: .zero)
  }

  private static func welcome(_ identifier: String) -> Message {
    .welcome(
      Welcome(
        study: "quick", studyIdentifier: identifier, session: "s", heartbeatMilliseconds: 1000,
        leaseMilliseconds: 10_000))
  }

  private static func assign(_ token: AttemptToken) -> Message {
    .assign(
      Assignment(
        attempt: token, trial: 1, configuration: .factors(["x": .integer(1)]), seed: 1, leaseMilliseconds: 1000))
  }

  private static var released: Submission { .released(ReleaseReport(attempt: token, reason: .preempted)) }

  /// Brings a session into a state by what happens to it.
  static func session(_ state: String) -> WorkerSession {
    var session = WorkerSession(hello: SessionPair.hello())
    _ = session.evaluatorReady()
    _ = session.advance(to: .zero)
    _ = receive(&session, welcome("id1"))
    let work = state.split(separator: ".").last ?? ""
    if work != "I" { _ = receive(&session, assign(token)) }
    if work == "dI" { _ = session.finish(released, now: .zero) }
    if work.hasPrefix("d") { _ = receive(&session, .drain(Drain(immediately: false, reason: "drained"))) }
    if work.hasPrefix("s") || work == "F" { _ = session.stop("stopped", now: .zero) }
    if work == "F" { _ = session.finish(released, now: .zero) }
    if work.hasSuffix("D") {
      _ = receive(&session, .refused(lost))
      _ = receive(&session, welcome("id2"))
    }
    if work == "X" { _ = receive(&session, .refused(Refusal(.study, "another"))) }
    if state.hasPrefix("C") { _ = receive(&session, .refused(lost)) }
    return session
  }

  static func name(_ session: WorkerSession) -> String {
    func name(_ activity: WorkerSession.Activity) -> String {
      switch activity {
      case .idle: "I"
      case .executing: "E"
      case .discarding: "D"
      }
    }
    let work =
      switch session.work {
      case .serving(let activity): name(activity)
      case .draining(_, let activity): "d" + name(activity)
      case .stopping(_, .executing): "sE"
      case .stopping(_, .discarding): "sD"
      case .flushing: "F"
      case nil: "X"
      }
    return session.isConnected ? "L." + work : session.isConnecting ? "C." + work : work
  }

  private static func apply(_ input: String, to session: inout WorkerSession) throws {
    switch input {
    case "welcome": _ = receive(&session, welcome(session.hello.studyIdentifier ?? ""))
    case "refused": _ = receive(&session, .refused(Refusal(.quarantined, "out of service")))
    case "lost": _ = receive(&session, .refused(lost))
    case "assign": _ = receive(&session, assign(AttemptToken(8)))
    case "cancel": _ = receive(&session, .cancel(Cancellation(attempt: token, reason: .superseded)))
    case "drain": _ = receive(&session, .drain(Drain(immediately: true, reason: "again")))
    case "acknowledged":
      let id = session.outbox.entries.first?.id ?? -1
      _ = receive(&session, .ack(Acknowledgement(of: id, verdict: .accepted)))
    case "silence": _ = session.advance(to: .seconds(100))
    case "finish": _ = session.finish(released, now: .zero)
    case "stop": _ = session.stop("stopped", now: .zero)
    default: throw StateTable.UnknownInput(name: input)
    }
  }

  @Test("the table", arguments: table.rows) func transitions(_ row: StateTable.Row) throws {
    #expect(Self.name(Self.session(row.state)) == row.state, "the state cannot be reached as it is described")
    for (input, expected) in row.results {
      var session = Self.session(row.state)
      try Self.apply(input, to: &session)
      #expect(Self.name(session) == (expected == "=" ? row.state : expected), "\(row.state), \(input)")
    }
  }

  @Test("inputs that tell of the worker change no state", arguments: table.rows.map(\.state))
  func facts(_ state: String) {
    var session = Self.session(state)
    let isExecuting = state.hasSuffix("E")
    let isConnected = state.hasPrefix("L")
    session.evaluatorLost()
    #expect((session.evaluatorReady() != nil) == (state == "L.I" || state == "L.D"))
    #expect((session.start(Self.token) != nil) == (isExecuting && isConnected))
    session.update(Self.token, AttemptProgress(step: 1, total: 2, phase: "train"))
    let report = IntermediateReport(token: Self.token, trial: 1, step: 1, values: [:])
    #expect((session.report(report) != nil) == (isExecuting && isConnected))
    let chunk = ArtifactChunk(sha256: "a", totalBytes: 1, offset: 0, chunkSHA256: "b", bytes: [1])
    #expect((session.upload(chunk) != nil) == isConnected)
    #expect((session.transportConnected(now: .zero) != nil) == state.hasPrefix("C"))
    #expect(Self.name(session) == state)
  }

  @Test("each input has its own result") func results() throws {
    var session = Self.session("L.I")
    guard case .execute(let assignment, let acceptance) = Self.receive(&session, Self.assign(Self.token)) else {
      Issue.record("not executed")
      return
    }
    #expect(acceptance.message == .accepted(AttemptReference(attempt: assignment.attempt)))
    // The same again is accepted again, and another one is given back.
    guard case .repeated = Self.receive(&session, Self.assign(Self.token)),
      case .retain(.released(let report), _) = Self.receive(&session, Self.assign(AttemptToken(8)))
    else {
      Issue.record("not answered")
      return
    }
    #expect(report.reason == .busy)
    #expect(session.stop("SIGTERM", now: .zero) == .interrupt(Self.token, .preempted))
    guard case .retain = session.finish(Self.released, now: .zero) else {
      Issue.record("not kept")
      return
    }
    // Not acknowledged in time: it leaves all the same, and the outcomes stay in its file.
    guard case .leave(let farewell) = session.advance(to: .seconds(3)) else {
      Issue.record("did not leave")
      return
    }
    #expect(farewell.departure == .stopped("SIGTERM") && farewell.goodbye != nil)
    #expect(session.retained.count == 2)
    #expect(session.nextDeadline > .seconds(1_000_000))
  }

  @Test("of a study that was started over nothing is kept") func startedOver() throws {
    var session = Self.session("L.dI")
    _ = Self.receive(&session, .refused(Self.lost))
    guard case .welcomed(_, let dropped?, _) = Self.receive(&session, Self.welcome("id2")) else {
      Issue.record("not welcome")
      return
    }
    #expect(dropped.outcomes == [Self.token] && dropped.attempt == nil)
    #expect(session.retained.isEmpty)
  }
}
