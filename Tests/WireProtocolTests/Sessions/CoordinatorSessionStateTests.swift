import BayesianOptimization
import Study
import TestSupport
import Testing

@testable import WireProtocol

/// Every state of a coordinator's session with every input that can change it.
@Suite("States of a coordinator's session", .bounded) struct CoordinatorSessionStateTests {
  /// What follows from each input (columns) in each state (rows).
  ///
  /// The number is the attempt that the worker is believed to hold. Messages name attempt 7, and the coordinator assigns attempt 8.
  private static let table = StateTable(
    """
    state     hello    stranger ready accepted start running idle  result goodbye silence admit refuse assign    cancel drain
    expecting deciding closed   =     =        =     =       =     =      closed  closed  =     closed =         =      =
    deciding  =        closed   =     =        =     =       =     =      closed  closed  busy  closed =         =      =
    busy      deciding closed   idle  =        =     =       idle  =      closed  closed  =     closed assigned8 =      =
    busy7     deciding closed   idle7 =        =     =       idle7 busy   closed  closed  =     closed assigned8 busy   =
    idle      deciding closed   =     busy     busy  busy    =     =      closed  closed  =     closed assigned8 =      busy
    idle7     deciding closed   =     busy7    busy7 busy7   =     idle   closed  closed  =     closed assigned8 idle   busy7
    assigned7 deciding closed   =     busy7    busy7 busy7   =     busy   closed  closed  =     closed assigned8 busy   =
    closed    =        =        =     =        =     =       =     =      =       =       =     =      =         =      =
    """)

  private static let token = AttemptToken(7)

  private static func receive(_ session: inout CoordinatorSession, _ message: Message) -> CoordinatorSession.Reception {
    session.receive(Envelope(id: 1, message: message), now: .zero)
  }

  private static func assignment(_ token: Int) -> Assignment {
    Assignment(
      attempt: AttemptToken(token), trial: 1, configuration: .factors(["x": .integer(1)]), seed: 1,
      leaseMilliseconds: 1000)
  }

  static func session(_ state: String) -> CoordinatorSession {
    var session = CoordinatorSession(settings: SessionPair(trials: 0).settings, now: .zero)
    if state == "expecting" { return session }
    _ = receive(&session, .hello(SessionPair.hello()))
    if state == "deciding" { return session }
    _ = session.admit(continues: false)
    if state.hasSuffix("7") { _ = session.assign(assignment(7), now: .zero) }
    if state == "busy7" || state == "idle7" { _ = receive(&session, .accepted(AttemptReference(attempt: token))) }
    if state.hasPrefix("idle") { _ = receive(&session, .ready) }
    if state == "closed" { _ = receive(&session, .goodbye(Notice(reason: "done"))) }
    return session
  }

  static func name(_ session: CoordinatorSession) -> String {
    func number(_ token: AttemptToken?) -> String { token.map { "\($0.rawValue)" } ?? "" }
    return switch session.state {
    case .expectingHello: "expecting"
    case .deciding: "deciding"
    case .active(_, .assigned(let assigned)): "assigned" + number(assigned.attempt)
    case .active(_, .busy(let token)): "busy" + number(token)
    case .active(_, .idle(let token)): "idle" + number(token)
    case .closed: "closed"
    }
  }

  private static func apply(_ input: String, to session: inout CoordinatorSession) throws {
    let reference = AttemptReference(attempt: token)
    switch input {
    case "hello": _ = receive(&session, .hello(SessionPair.hello()))
    case "stranger":
      var hello = SessionPair.hello()
      hello.study = "another"
      _ = receive(&session, .hello(hello))
    case "ready": _ = receive(&session, .ready)
    case "accepted": _ = receive(&session, .accepted(reference))
    case "start": _ = receive(&session, .start(reference))
    case "running": _ = receive(&session, .heartbeat(Heartbeat(phase: .running, attempt: token)))
    case "idle": _ = receive(&session, .heartbeat(Heartbeat(phase: .idle)))
    case "result":
      _ = receive(&session, .result(ResultReport(attempt: token, result: TrialResult(objectives: ["loss": 1]))))
    case "goodbye": _ = receive(&session, .goodbye(Notice(reason: "done")))
    case "silence": _ = session.advance(to: .seconds(100))
    case "admit": _ = session.admit(continues: true)
    case "refuse": _ = session.refuse(Refusal(.quarantined, "out of service"))
    case "assign": _ = session.assign(assignment(8), now: .zero)
    case "cancel": _ = session.cancel(token, .abandoned)
    case "drain": _ = session.drain(Drain(immediately: false, reason: "done"))
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

  @Test("messages are sent only where the worker is let in", arguments: table.rows.map(\.state))
  func messages(_ state: String) {
    let isActive = !["expecting", "deciding", "closed"].contains(state)
    var session = Self.session(state)
    #expect((session.cancel(AttemptToken(5), .stopped) != nil) == isActive)
    #expect((session.drain(Drain(immediately: true, reason: "end")) != nil) == isActive)
    #expect((session.probe() != nil) == (state != "closed"))
    session = Self.session(state)
    #expect((session.assign(Self.assignment(8), now: .zero) != nil) == isActive)
  }

  @Test("a goodbye tells which attempt is lost", arguments: ["busy", "busy7", "idle7", "assigned7"])
  func lost(_ state: String) {
    var session = Self.session(state)
    let result = Self.receive(&session, .goodbye(Notice(reason: "SIGTERM")))
    #expect(result == .left(lost: state == "busy" ? nil : Self.token, .goodbye("SIGTERM")))
  }

  @Test("an assignment that nobody accepts is sent again, the same message") func resend() {
    var session = Self.session("idle")
    let first = session.assign(Self.assignment(8), now: .zero)
    #expect(session.advance(to: .seconds(1)) == .nothing)
    #expect(session.advance(to: .seconds(2)) == first.map { .resend($0) } ?? .nothing)
    #expect(session.advance(to: .seconds(3)) == .nothing)
  }

  @Test("a worker that was asked to leave is asked again and gets no trial") func drained() {
    var session = Self.session("busy7")
    _ = session.drain(Drain(immediately: false, reason: "done"))
    guard case .alive(let sign) = Self.receive(&session, .heartbeat(Heartbeat(phase: .idle))) else {
      Issue.record("not understood")
      return
    }
    #expect(sign.news == .none && sign.drain != nil && sign.acknowledgement != nil)
  }
}
