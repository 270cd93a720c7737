import Study
import StudyTesting
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// The states of a coordinator: its run, its open question to the sampler, and what it knows of its commits.
@Suite("States of a coordinator", .ownThread, .bounded) struct CoreStateTests {
  private let peer = Desk.peer(1)
  private static let full = StudyError(.diskFull, "full")

  /// A coordinator whose questions to the sampler stay open, and the first of them.
  private func asking(_ store: any StudyStore) throws -> (core: CoordinatorCore, task: ProposalTask) {
    var core = try CoordinatorCore(
      settings: CoordinatorSettings(build: "b", budget: 6), store: store, policy: ToyEvaluation.policy,
      sessionName: "s", key: ToySampler.key, now: .zero, wallTime: 0)
    let tasks = core.begin().compactMap { if case .propose(let task) = $0 { task } else { nil } }
    return (core, try #require(tasks.first))
  }

  private func name(_ phase: ProposalPhase) -> String {
    switch phase {
    case .idle: "idle"
    case .interrupted: "interrupted"
    case .computing: "computing"
    case .held: "held"
    case .exhausted: "exhausted"
    }
  }

  @Test("an answer that cannot be stored is held until it can") func held() throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var (core, task) = try asking(store)
    #expect(name(core.proposals) == "computing")
    store.replan { _ in .fail(Self.full) }
    _ = core.handle(.proposed(task, ToySampler().propose(task.request)), now: .seconds(1), wallTime: 1)
    #expect(name(core.proposals) == "held" && core.trouble == Self.full)
    _ = core.handle(.clock, now: .seconds(2), wallTime: 2)
    #expect(name(core.proposals) == "held")
    #expect(store.fired == 2)
    // The answer to a later question does not take its place.
    var later = task
    later.request.index += 1
    _ = core.handle(.proposed(later, ToySampler().propose(later.request)), now: .seconds(2), wallTime: 2)
    #expect(name(core.proposals) == "held")
    store.replan { _ in nil }
    _ = core.handle(.clock, now: .seconds(3), wallTime: 3)
    #expect(name(core.proposals) == "idle" && core.trouble == nil)
    #expect(core.state.queuedCount == 1)
  }

  @Test("a space without further configurations is not asked again") func exhausted() throws {
    var (core, task) = try asking(Desk.store())
    let actions = core.handle(.proposed(task, .spaceExhausted), now: .seconds(1), wallTime: 1)
    #expect(name(core.proposals) == "exhausted")
    #expect(actions.contains { if case .finished(.spaceExhausted) = $0 { true } else { false } })
    #expect(core.phase == .finished)
  }

  @Test("a question of an earlier process is asked again as it was, alone") func interrupted() throws {
    let store = Desk.store()
    var (core, task) = try asking(store)
    // The only trial is leased, and the question that follows is not answered before the process ends.
    _ = core.handle(.proposed(task, ToySampler().propose(task.request)), now: .seconds(1), wallTime: 1)
    _ = core.handle(.received(peer, Envelope(id: 1, message: .hello(Desk.hello("w")))), now: .seconds(1), wallTime: 1)
    let asked = core.handle(.received(peer, Envelope(id: 2, message: .ready)), now: .seconds(1), wallTime: 1)
    let open = asked.compactMap { if case .propose(let task) = $0 { task } else { nil } }
    let (again, repeated) = try asking(store)
    #expect(open.first?.eventNumber == repeated.eventNumber && repeated.wanted == 1)
    #expect(name(again.proposals) == "computing")
  }

  @Test("a run goes from serving over draining to finished") func phases() throws {
    var desk = try Desk(Desk.store(), budget: 1)
    #expect(desk.core.phase == .serving)
    desk.come(Desk.hello("w"), peer, at: 1)
    let token = try desk.start(peer, at: 1)
    desk.handle(.drain(immediately: false, reason: "end"), at: 2)
    #expect(desk.core.phase == .draining && desk.finish == nil)
    desk.complete(peer, token, at: 3)
    #expect(desk.core.phase == .finished && desk.finish == .budget)
    desk.handle(.drain(immediately: true, reason: "again"), at: 4)
    #expect(desk.core.phase == .finished)
  }

  @Test("an uncertain commit is resolved by the store before anything new is stored", arguments: [false, true])
  func uncertain(isStored: Bool) throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var desk = try Desk(store)
    desk.come(Desk.hello("w"), peer, at: 1)
    let token = try desk.start(peer, at: 1)
    store.replan { _ in .executeAndLoseContact(Self.full) }
    if !isStored {
      store.takeAway(Self.full)
    }
    desk.complete(peer, token, at: 2)
    guard case .uncertain(let steps) = desk.core.journal else {
      Issue.record("it is known what became of the commit")
      return
    }
    #expect(steps.count == 1 && desk.state(token) == .started)
    store.takeAway(nil)
    store.replan { _ in nil }
    desk.handle(.clock, at: 3)
    guard case .stored = desk.core.journal else {
      Issue.record("not resolved")
      return
    }
    #expect(desk.state(token) == (isStored ? .succeeded : .started))
  }

  @Test("a batch that cannot be stored leaves everything as it was, and is tried one by one") func batch() throws {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var desk = try Desk(store)
    desk.come(Desk.hello("w"), peer, at: 1)
    let token = try desk.start(peer, at: 1)
    let last = desk.core.state.header.lastEvent
    store.replan { _ in .fail(Self.full) }
    let report = ResultReport(attempt: token, result: TrialResult(objectives: ["loss": 1, "rougeL": 1]))
    let events = [CoordinatorCore.Event.received(peer, Envelope(id: 90, message: .result(report))), .clock]
    let actions = desk.core.handle(events, now: .seconds(2), wallTime: 2)
    #expect(store.fired > 1)
    #expect(desk.core.state.header.lastEvent == last && desk.state(token) == .started)
    #expect(!actions.contains { if case .send(_, let envelope) = $0 { envelope.message.type == .ack } else { false } })
    store.replan { _ in nil }
    desk.complete(peer, token, at: 3)
    #expect(desk.state(token) == .succeeded && desk.verdicts(peer).last == .accepted)
  }

  @Test("a command that finds the store beyond use ends the run, and the caller is told") func brokenByCommand() throws
  {
    let store = FaultyStore(Desk.store()) { _ in nil }
    var desk = try Desk(store)
    let vanished = StudyError(.vanished, "the file is gone")
    store.replan { _ in .fail(vanished) }
    #expect(throws: StudyError.self) { try desk.core.steer(.pause, now: .seconds(1), wallTime: 1) }
    #expect(store.fired == 1)
    #expect(desk.core.phase == .broken)
    desk.handle(.clock, at: 2)
    #expect(desk.fatal == vanished)
    desk.come(Desk.hello("w"), peer, at: 3)
    #expect(desk.sent.isEmpty, "nothing is answered any more")
  }
}
