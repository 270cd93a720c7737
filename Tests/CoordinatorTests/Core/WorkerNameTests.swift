import Study
import TestSupport
import Testing
import Transport
import WireProtocol

@testable import Coordinator

/// One living process bears a name; a name proves nothing by itself.
@Suite("Names of workers", .ownThread, .bounded) struct WorkerNameTests {
  private let first = Desk.peer(1)
  private let second = Desk.peer(2)

  @Test("of two living processes of one name the second is refused, and the first keeps its trial") func twoOfOneName()
    throws
  {
    var desk = try Desk(Desk.store())
    desk.come(Desk.hello("node/cpu"), first, at: 1)
    let token = try desk.start(first, at: 1)
    desk.come(Desk.hello("node/cpu", "2", host: "clone"), second, at: 2)
    #expect(!desk.isWelcome(second) && desk.refusals(second).isEmpty, "nobody knows yet whether the first one lives")
    // What was under way before the second came proves nothing; a sign of life after it does.
    desk.receive(.heartbeat(Heartbeat(phase: .running, attempt: token)), from: first, at: 2.5)
    #expect(desk.refusals(second).isEmpty)
    desk.receive(.heartbeat(Heartbeat(phase: .running, attempt: token)), from: first, at: 4)
    let refusal = try #require(desk.refusals(second).first)
    #expect(refusal.code == .duplicateName && refusal.isFinal)
    #expect(refusal.message.contains("--name") && refusal.message.contains("node/cpu"))
    #expect(desk.said("a second worker calls itself node/cpu (host clone"))
    #expect(desk.state(token) == .started)
    #expect(desk.core.workers["node/cpu"]?.peer == first)
    // The same again: the trial of the first is never evaluated by anybody else.
    for second in 5..<40 {
      desk.receive(.heartbeat(Heartbeat(phase: .running, attempt: token)), from: first, at: Double(second))
      desk.come(Desk.hello("node/cpu", "\(second)"), Desk.peer(UInt8(second)), at: Double(second))
      desk.handle(.clock, at: Double(second))
    }
    #expect(desk.core.state.trials.flatMap(\.attempts).count == 1)
    desk.complete(first, token, at: 41)
    #expect(desk.state(token) == .succeeded)
  }

  @Test("a restarted worker gets in as soon as the old connection is known to be closed") func closedConnection() throws
  {
    var desk = try Desk(Desk.store())
    desk.come(Desk.hello("w"), first, at: 1)
    let token = try desk.start(first, at: 1)
    desk.come(Desk.hello("w", "2"), second, at: 2)
    #expect(!desk.isWelcome(second))
    let probe = Message.ack(Acknowledgement(of: 0, verdict: .accepted))
    #expect(
      desk.sent.contains { $0.peer == first && $0.message == probe },
      "something must be sent for the transport to notice")
    desk.handle(.undeliverable(first), at: 2.01)
    #expect(desk.isWelcome(second))
    #expect(desk.state(token) == .expired)
    desk.receive(.ready, from: second, at: 2.1)
    #expect(desk.assigned(second) != nil)
  }

  @Test("a restarted worker gets in when the old process is silent, or has said goodbye") func silentOrGone() throws {
    var desk = try Desk(Desk.store())
    desk.come(Desk.hello("w"), first, at: 1)
    desk.come(Desk.hello("w", "2"), second, at: 2)
    for second in 2...7 { desk.handle(.clock, at: Double(second)) }
    #expect(!desk.isWelcome(second))
    desk.handle(.clock, at: 7.5)
    #expect(desk.isWelcome(second), "three heartbeats of silence")
    desk.receive(.goodbye(Notice(reason: "SIGTERM")), from: second, at: 8)
    let third = Desk.peer(3)
    desk.come(Desk.hello("w", "3"), third, at: 8.1)
    #expect(desk.isWelcome(third), "the one before has left")
  }

  @Test("the same process that connects again gets in at once and goes on") func reconnecting() throws {
    var desk = try Desk(Desk.store())
    desk.come(Desk.hello("w"), first, at: 1)
    let token = try desk.start(first, at: 1)
    var hello = Desk.hello("w")
    hello.running = token
    desk.receive(.hello(hello), from: second, at: 2)
    #expect(desk.isWelcome(second))
    #expect(desk.state(token) == .started)
    #expect(desk.core.workers["w"]?.peer == second)
  }

  @Test("another key gets neither the name, nor the trial, nor the word on its outcome") func anotherKey() throws {
    let (mine, thief) = (Desk.peer(1, key: "mine"), Desk.peer(2, key: "thief"))
    var desk = try Desk(Desk.store())
    desk.come(Desk.hello("w"), mine, at: 1)
    let token = try desk.start(mine, at: 1)
    #expect(desk.core.state.attempt(token)?.attempt.worker.key == "mine")
    // With the very incarnation of the other, and with its attempt.
    var lie = Desk.hello("w")
    lie.running = token
    desk.come(lie, thief, at: 2)
    desk.complete(thief, token, loss: 0, at: 2)
    #expect(desk.state(token) == .started)
    desk.receive(.heartbeat(Heartbeat(phase: .running, attempt: token)), from: mine, at: 4)
    #expect(desk.refusals(thief).first?.code == .duplicateName)
    // When the other is gone, the name is free, and its attempts are not.
    desk.receive(.goodbye(Notice(reason: "done")), from: mine, at: 5)
    desk.come(Desk.hello("w", "9"), thief, at: 6)
    #expect(desk.isWelcome(thief))
    desk.complete(thief, token, loss: 0, at: 7)
    #expect(desk.verdicts(thief).last == .conflict)
    #expect(desk.said("was begun under another key"))
    #expect(desk.core.state.trials.allSatisfy { $0.result?.objectives["loss"] != 0 })
  }

  @Test("one connection is one worker: of a thousand names on it one is left, with one trial") func manyNames() throws {
    var desk = try Desk(Desk.store(budget: 2_000), budget: 2_000)
    for index in 0..<1_000 { desk.come(Desk.hello("w\(index)"), first, at: 1 + Double(index) / 1_000) }
    #expect(Array(desk.core.workers.keys) == ["w999"])
    #expect(desk.core.state.running.count <= 1)
    #expect(desk.core.names.count == 1)
  }

  @Test("a worker whose key is revoked gets no trial, and what it held runs again at once") func revoked() throws {
    let (bad, good) = (Desk.peer(1, key: "bad"), Desk.peer(2, key: "good"))
    var desk = try Desk(Desk.store())
    desk.come(Desk.hello("a"), bad, at: 1)
    let token = try desk.start(bad, at: 1)
    desk.come(Desk.hello("b"), good, at: 1)
    let other = try desk.start(good, at: 1)
    desk.handle(.revoked(PeerIdentity(key: "bad")), at: 2)
    #expect(desk.state(token) == .released)
    #expect(desk.core.workers.keys.sorted() == ["b"])
    #expect(desk.core.sessions[bad] == nil)
    #expect(desk.state(other) == .started)
    desk.complete(good, other, at: 3)
    desk.receive(.ready, from: good, at: 3)
    #expect(desk.core.state.trials[0].attempts.last?.worker.name == "b", "the trial runs again, elsewhere")
    #expect(desk.core.state.trials[0].countedAttempts == 0)
  }

  @Test("after a restart of the coordinator the process that holds the trial goes before another of its name")
  func holderIsAway() throws {
    let store = Desk.store()
    var desk = try Desk(store)
    desk.come(Desk.hello("w"), first, at: 1)
    let token = try desk.start(first, at: 1)
    var again = try Desk(store, session: "t", at: 10)
    again.come(Desk.hello("w", "2"), second, at: 11)
    #expect(!again.isWelcome(second))
    var hello = Desk.hello("w")
    hello.running = token
    again.receive(.hello(hello), from: first, at: 12)
    #expect(again.isWelcome(first))
    #expect(again.state(token) == .started)
    again.receive(.heartbeat(Heartbeat(phase: .running, attempt: token)), from: first, at: 14)
    #expect(again.refusals(second).first?.code == .duplicateName)
    // Nobody comes back: the name is free after three heartbeats.
    var third = try Desk(store, session: "u", at: 20)
    third.come(Desk.hello("w", "3"), second, at: 21)
    for second in 21...27 { third.handle(.clock, at: Double(second)) }
    #expect(third.isWelcome(second))
  }

  @Test("a later process in the same state folder need not wait: the folder's lock says that the earlier one is gone")
  func sameFolder() throws {
    let store = Desk.store()
    let folder = "0123456789abcdef"
    var desk = try Desk(store)
    desk.come(Desk.hello("w", "\(folder).1"), first, at: 1)
    _ = try desk.start(first, at: 1)
    var again = try Desk(store, session: "t", at: 10)
    again.come(Desk.hello("w", "fedcba9876543210.2"), Desk.peer(3), at: 11)
    #expect(!again.isWelcome(Desk.peer(3)))
    again.come(Desk.hello("w", "\(folder).2"), second, at: 11)
    #expect(again.isWelcome(second))
  }

  @Test("a trial that somebody asked for by hand is not taken away by a worker of that name") func askedByHand() throws
  {
    var desk = try Desk(Desk.store())
    let reply = try desk.core.steer(.ask(worker: "me"), now: .seconds(1), wallTime: 1).reply
    let token = try #require(reply.trial?.liveAttempt?.token)
    desk.come(Desk.hello("me"), first, at: 2)
    #expect(desk.state(token) == .started)
    #expect(desk.assigned(first) != token)
  }

  @Test("the coordinator's own standstill refuses nobody") func standstill() throws {
    var desk = try Desk(Desk.store()) { $0.stall = .seconds(2) }
    desk.come(Desk.hello("w"), first, at: 1)
    desk.come(Desk.hello("w", "2"), second, at: 2)
    // Stopped for a minute; what the first had sent before it died is read together with everything else.
    desk.receive(.heartbeat(Heartbeat(phase: .idle)), from: first, at: 62)
    #expect(desk.refusals(second).isEmpty)
  }
}
