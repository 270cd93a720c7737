import Study
import StudyTesting
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// Whose commit it was is told by the coordinator's own mark in the store, never by a number.
@Suite("Whose commit it was", .ownThread, .bounded) struct CommitIdentityTests {
  private let peer = Desk.peer(1)

  private func running(_ store: any StudyStore) throws -> (desk: Desk, token: AttemptToken) {
    var desk = try Desk(store)
    desk.come(Desk.hello("w"), peer, at: 1)
    let token = try desk.start(peer, at: 1)
    return (desk, token)
  }

  @Test("a coordinator whose study was opened by another one acknowledges nothing more", arguments: [false, true])
  func secondCoordinator(isBatch: Bool) throws {
    let store = Desk.store()
    var (desk, token) = try running(store)
    let acknowledged = desk.verdicts(peer).count
    _ = try Desk(store, session: "other", at: 2)
    let report = ResultReport(attempt: token, result: TrialResult(objectives: ["loss": 1, "rougeL": 0]))
    let event = CoordinatorCore.Event.received(peer, Envelope(id: 90, message: .result(report)))
    let actions =
      isBatch
      ? desk.core.handle([event, .clock], now: .seconds(3), wallTime: 3)
      : desk.core.handle(event, now: .seconds(3), wallTime: 3)
    let fatal = actions.compactMap { if case .fatal(let error) = $0 { error } else { nil } }
    #expect(fatal.first?.code == .sequenceConflict)
    #expect(fatal.first?.message.contains("one coordinator") == true)
    #expect(!actions.contains { if case .send(_, let envelope) = $0 { envelope.message.type == .ack } else { false } })
    #expect(desk.verdicts(peer).count == acknowledged)
    #expect(desk.core.state.trials.allSatisfy { $0.result == nil }, "not in memory either")
    desk.complete(peer, token, at: 4)
    #expect(desk.verdicts(peer).count == acknowledged)
  }

  @Test("another coordinator's event of the same number does not pass for one's own", arguments: [false, true])
  func sameNumber(isBatch: Bool) throws {
    let base = Desk.store()
    let store = FaultyStore(base) { _ in nil }
    var (desk, token) = try running(store)
    // The disk refuses the result, and at that moment another coordinator writes as many events.
    store.replan { _ in
      if let record = try? base.load() {
        var state = StudyState(record: record, policy: ToyEvaluation.policy)
        // A failure here leaves the fault without its other half, which the expectations below show.
        let opening = state.open(budget: 6, writer: "other", time: 0)
        try? base.commit(opening)
        state.apply(opening)
        try? base.commit(state.pause(time: 0))
      }
      return .fail(StudyError(.inputOutput, "ordered"))
    }
    let last = desk.core.state.header.lastEvent
    let report = FailureReport(
      attempt: token, started: true, record: FailureRecord(failureClass: .preempted, message: "m"))
    let event = CoordinatorCore.Event.received(peer, Envelope(id: 90, message: .failure(report)))
    let actions =
      isBatch
      ? desk.core.handle([event], now: .seconds(3), wallTime: 3)
      : desk.core.handle(event, now: .seconds(3), wallTime: 3)
    #expect(store.fired >= 1)
    #expect(try base.lastEventNumber() == last + 2, "as many events as the refused step has")
    #expect(actions.contains { if case .fatal = $0 { true } else { false } })
    #expect(!actions.contains { if case .send(_, let envelope) = $0 { envelope.message.type == .ack } else { false } })
    #expect(desk.state(token) == .started)
  }

  @Test("a result that comes again is acknowledged only while the store still holds it", arguments: [false, true])
  func repeatedResult(isBatch: Bool) throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var (desk, token) = try running(store)
    desk.complete(peer, token, at: 2)
    desk.complete(peer, token, at: 2)
    #expect(desk.verdicts(peer).last == .duplicate)
    store.takeAway(StudyError(.notFound, "study.sqlite was deleted"))
    let report = ResultReport(attempt: token, result: TrialResult(objectives: ["loss": 1, "rougeL": 0.5]))
    let event = CoordinatorCore.Event.received(peer, Envelope(id: 91, message: .result(report)))
    let actions =
      isBatch
      ? desk.core.handle([event], now: .seconds(3), wallTime: 3)
      : desk.core.handle(event, now: .seconds(3), wallTime: 3)
    #expect(!actions.contains { if case .send(_, let envelope) = $0 { envelope.message.type == .ack } else { false } })
    #expect(actions.contains { if case .fatal = $0 { true } else { false } })
  }

  @Test("one's own commit that reported an error counts all the same") func ownCommit() throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var (desk, token) = try running(store)
    store.replan { _ in .executeAndFail(StudyError(.inputOutput, "ordered")) }
    desk.complete(peer, token, at: 2)
    #expect(store.fired > 0)
    #expect(desk.state(token) == .succeeded && desk.verdicts(peer).last == .accepted)
    #expect(desk.fatal == nil)
  }
}
