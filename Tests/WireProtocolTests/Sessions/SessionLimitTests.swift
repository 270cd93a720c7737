import SessionTesting
import Study
import TestSupport
import Testing

@testable import WireProtocol

/// What a session keeps of a worker is bounded, and what a program printed too much of is told apart from garbage.
@Suite("Limits of a session", .bounded) struct SessionLimitTests {
  private func active() -> CoordinatorSession {
    var session = CoordinatorSession(settings: SessionPair(trials: 0).settings, now: .zero)
    _ = session.handle(.received(Envelope(id: 1, message: .hello(SessionPair.hello()))), now: .zero)
    _ = session.handle(.admit(continues: false), now: .zero)
    return session
  }

  @Test("of stopped attempts the newest 64 are remembered") func cancelled() {
    var session = active()
    for token in 1...1_000 { _ = session.handle(.cancel(AttemptToken(token), .superseded), now: .zero) }
    #expect(session.rememberedCancellations == StoppedAttempts.limit)
    let late = Heartbeat(phase: .running, attempt: AttemptToken(1_000))
    let actions = session.handle(.received(Envelope(id: 2, message: .heartbeat(late))), now: .zero)
    #expect(actions.contains { if case .send(let envelope) = $0 { envelope.message.type == .cancel } else { false } })
  }

  @Test("a result over the limits names its attempt and its message") func subject() throws {
    let codec = MessageCodec()
    let result = TrialResult(
      objectives: ["loss": 1],
      metrics: Dictionary(uniqueKeysWithValues: (0...WireLimits.metrics).map { ("m\($0)", 1) }))
    let message = Message.result(ResultReport(attempt: AttemptToken(7), result: result))
    #expect {
      try codec.decode(codec.encode(Envelope(id: 9, message: message)), from: .worker)
    } throws: { error in
      (error as? WireError)?.subject == WireError.Subject(type: .result, id: 9, attempt: AttemptToken(7))
    }
  }

  @Test("a probe is an acknowledgement of nothing, which every worker passes over") func probe() {
    var session = active()
    let actions = session.handle(.probe, now: .zero)
    guard case .send(let envelope)? = actions.first, actions.count == 1 else {
      Issue.record("\(actions)")
      return
    }
    #expect(envelope.message == .ack(Acknowledgement(of: 0, verdict: .accepted)))
    var worker = WorkerSession(hello: SessionPair.hello())
    _ = worker.handle(.clock, now: .zero)
    #expect(worker.handle(.received(envelope), now: .zero).isEmpty)
  }
}
