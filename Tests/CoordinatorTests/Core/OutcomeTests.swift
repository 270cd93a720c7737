import BayesianOptimization
import Study
import StudyTesting
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// What workers report: too much, too large, no numbers.
@Suite("Outcomes and reports", .ownThread, .bounded) struct OutcomeTests {
  private let peer = Desk.peer(1)

  private func running(_ store: any StudyStore = Desk.store()) throws -> (desk: Desk, token: AttemptToken) {
    var desk = try Desk(store)
    desk.come(Desk.hello("w"), peer, at: 1)
    let token = try desk.start(peer, at: 1)
    return (desk, token)
  }

  /// A message over the wire: what the coordinator's decoder makes of it.
  private func event(_ message: Message, id: Int64) -> CoordinatorCore.Event {
    let codec = MessageCodec()
    do throws(WireError) {
      return .received(peer, try codec.decode(codec.encode(Envelope(id: id, message: message)), from: .worker))
    } catch {
      return .malformed(peer, error)
    }
  }

  private static let tooMuch: [TrialResult] = [
    TrialResult(
      objectives: ["loss": 1, "rougeL": 1],
      metrics: Dictionary(uniqueKeysWithValues: (0...WireLimits.metrics).map { ("m\($0)", 1) })),
    TrialResult(objectives: Dictionary(uniqueKeysWithValues: (0...WireLimits.objectives).map { ("o\($0)", 1) })),
  ]

  @Test("a result that breaks the limits ends its attempt with the reason, and the study goes on", arguments: 0..<2)
  func tooLarge(kind: Int) throws {
    var (desk, token) = try running()
    for second in 2...40 where desk.core.state.trials[0].state != .failed {
      let current = try #require(desk.assigned(peer))
      desk.receive(.start(AttemptReference(attempt: current)), from: peer, at: Double(second))
      desk.handle(
        event(.result(ResultReport(attempt: current, result: Self.tooMuch[kind])), id: 900), at: Double(second))
      #expect(desk.verdicts(peer).last == .conflict, "the worker may forget it")
      desk.receive(.ready, from: peer, at: Double(second))
    }
    #expect(desk.state(token) == .failed)
    let failure = try #require(desk.core.state.attempt(token)?.attempt.failure)
    #expect(failure.message.contains("more than") && failure.nextStep?.contains("256 metrics") == true)
    #expect(desk.core.state.trials[0].attempts.count == 3)
    #expect(desk.core.workers["w"] != nil, "no reason to cut the connection")
  }

  @Test("reports that break the limits are left out and said once; the connection stays") func tooManyValues() throws {
    var (desk, token) = try running()
    let values = Dictionary(uniqueKeysWithValues: (0...WireLimits.reportValues).map { ("v\($0)", 1.0) })
    for step in 0..<50 {
      desk.handle(
        event(.report(IntermediateReport(token: token, trial: 0, step: step, values: values)), id: Int64(100 + step)),
        at: 2)
    }
    #expect(desk.core.workers["w"] != nil)
    #expect(desk.notes.count { $0.text.contains("intermediate report was left out") } == 1)
    desk.complete(peer, token, at: 3)
    desk.handle(.clock, at: 4)
    #expect(desk.state(token) == .succeeded)
    #expect(desk.said("0 of 50 intermediate reports were kept"))
  }

  @Test("garbage about nobody's attempt still ends the connection") func garbage() throws {
    var (desk, token) = try running()
    let other = AttemptToken(token.rawValue + 1_000)
    for id in 0..<20 {
      desk.handle(event(.result(ResultReport(attempt: other, result: Self.tooMuch[0])), id: Int64(100 + id)), at: 2)
    }
    #expect(desk.core.workers["w"] == nil)
    #expect(desk.state(token) == .started)
  }

  @Test("many reports are thinned out, counted and said") func thinning() throws {
    let store = Desk.store()
    var (desk, token) = try running(store)
    for step in 0..<20_000 {
      desk.receive(
        .report(IntermediateReport(token: token, trial: 0, step: step, values: ["loss": 1])), from: peer, at: 2)
      if step % 5_000 == 0 { desk.handle(.clock, at: 2) }
    }
    desk.handle(.clock, at: 3)
    let kept = try store.reports(trial: 0).count
    #expect(kept > 5_000 && kept < ReportTally.countLimit)
    #expect(desk.notes.count { $0.text.contains("every second one is kept") } == 1)
    desk.complete(peer, token, at: 4)
    desk.handle(.clock, at: 5)
    #expect(desk.said("\(kept) of 20000 intermediate reports were kept"))
    #expect(desk.core.tallies.isEmpty)
  }

  @Test("the number and the bytes of an attempt's reports have an end") func tally() {
    var tally = ReportTally()
    for _ in 0..<100_000 { _ = tally.keeps(["loss": 1]) }
    #expect(tally.kept == ReportTally.countLimit)
    var large = ReportTally()
    let values = Dictionary(uniqueKeysWithValues: (0..<64).map { (String(repeating: "x", count: 120) + "\($0)", 1.0) })
    for _ in 0..<5_000 { _ = large.keeps(values) }
    #expect(large.kept < 500 && large.kept > 100)
    #expect(large.dropped == large.seen - large.kept)
  }

  @Test("objectives that no product can hold are diverged and say so", arguments: [1e308, -1e308, 1e200, 1.1e75])
  func extremes(value: Double) throws {
    var (desk, token) = try running()
    desk.complete(peer, token, loss: value, at: 2)
    #expect(desk.verdicts(peer).last == .accepted)
    let trial = try #require(desk.core.state.attempt(token)?.trial)
    #expect(trial.state == .diverged)
    #expect(trial.failure?.message.contains("loss is \(value)") == true)
    #expect(trial.failure?.nextStep?.contains("NaN") == true)
    // The largest that is taken leaves the hypervolume finite.
    desk.receive(.ready, from: peer, at: 3)
    let next = try desk.start(peer, at: 3)
    desk.complete(peer, next, loss: -Objective.largestMagnitude, at: 4)
    #expect(desk.core.state.attempt(next)?.trial.state == .completed)
    #expect(desk.core.state.hypervolumes.allSatisfy { $0.isFinite })
    #expect(desk.core.trouble == nil && desk.fatal == nil)
  }

  @Test("a metric that is no number costs itself, not the objectives") func uselessMetric() throws {
    var (desk, token) = try running()
    let result = TrialResult(
      objectives: ["loss": 1, "rougeL": 1], standardErrors: ["loss": .nan, "rougeL": 0.1],
      metrics: ["seconds": .infinity, "tokens": 3])
    desk.receive(.result(ResultReport(attempt: token, result: result)), from: peer, at: 2)
    let trial = try #require(desk.core.state.attempt(token)?.trial)
    #expect(trial.state == .completed)
    #expect(trial.result?.metrics == ["tokens": 3] && trial.result?.standardErrors == ["rougeL": 0.1])
    #expect(desk.said("seconds, the standard error of loss are not finite and left out"))
    // Said again it is the same.
    desk.receive(.result(ResultReport(attempt: token, result: result)), from: peer, at: 3)
    #expect(desk.verdicts(peer).last == .duplicate)
  }

  @Test("a negative standard error is refused with the objective's name") func negativeError() throws {
    var (desk, token) = try running()
    let result = TrialResult(objectives: ["loss": 1, "rougeL": 1], standardErrors: ["loss": -0.5])
    desk.receive(.result(ResultReport(attempt: token, result: result)), from: peer, at: 2)
    let failure = try #require(desk.core.state.attempt(token)?.attempt.failure)
    #expect(failure.failureClass == .bug && failure.message.contains("standard error of loss is -0.5"))
  }

  @Test("what can never be stored ends its attempt instead of being tried for ever", arguments: [false, true])
  func unstorable(isBatch: Bool) throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var (desk, token) = try running(store)
    let first = store.commits + 1
    store.replan { $0 == first || (isBatch && $0 == first + 1) ? .fail(StudyError(.unstorable, "too big")) : nil }
    let result = TrialResult(objectives: ["loss": 1, "rougeL": 1])
    let event = CoordinatorCore.Event.received(
      peer, Envelope(id: 90, message: .result(ResultReport(attempt: token, result: result))))
    if isBatch { _ = desk.core.handle([event], now: .seconds(2), wallTime: 2) } else { desk.handle(event, at: 2) }
    #expect(store.fired == (isBatch ? 2 : 1))
    #expect(desk.state(token) == .failed)
    #expect(desk.core.state.attempt(token)?.attempt.failure?.message.contains("too big") == true)
    #expect(desk.core.trouble == nil && desk.fatal == nil)
  }

  @Test("a proposal that can never be stored ends the run with its reason") func unstorableProposal() throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var (desk, token) = try running(store)
    store.replan { _ in .fail(StudyError(.unstorable, "infinite level")) }
    desk.come(Desk.hello("v"), Desk.peer(2), at: 2)
    _ = token
    #expect(desk.fatal?.code == .unstorable)
  }

  @Test("logs of failures are cut to what a study keeps") func longLogs() throws {
    var (desk, token) = try running()
    let record = FailureRecord(
      failureClass: .bug, message: "m", logLines: (0..<100).map { "\($0) " + String(repeating: "x", count: 2_000) })
    desk.receive(.failure(FailureReport(attempt: token, started: true, record: record)), from: peer, at: 2)
    let kept = try #require(desk.core.state.attempt(token)?.attempt.failure?.logLines)
    #expect(kept.count == 40 && kept.allSatisfy { $0.utf8.count <= 510 })
    #expect(kept.last?.hasPrefix("99 ") == true)
  }

  @Test("heartbeats with made-up attempts leave nothing behind") func unknownTokens() throws {
    var (desk, token) = try running()
    for index in 0..<5_000 {
      let made = AttemptToken(token.rawValue + 1 + index)
      desk.receive(.heartbeat(Heartbeat(phase: .running, attempt: made)), from: peer, at: 2)
      if index % 500 == 0 { desk.sent = [] }
    }
    let session = try #require(desk.core.sessions[peer]?.value)
    #expect(session.rememberedCancellations <= 64)
    #expect(desk.core.signs.count <= 1 && desk.core.confirmed.count <= 1)
  }
}
