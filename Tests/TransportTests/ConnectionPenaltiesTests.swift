import Testing

@testable import Transport

struct ConnectionPenaltiesTests {
  private let start = ContinuousClock.now
  private func peer(_ name: String) -> Peer { Peer(id: Array(name.utf8)) }

  @Test func anEndedConnectionIsUnheardForAWhileAndNoOther() {
    var penalties = ConnectionPenalties()
    #expect(!penalties.isEnded(peer("a"), now: start))
    penalties.end(peer("a"), user: "key", now: start)
    #expect(penalties.isEnded(peer("a"), now: start))
    #expect(penalties.isEnded(peer("a"), now: start + ConnectionPenalties.duration - .seconds(1)))
    #expect(!penalties.isEnded(peer("a"), now: start + ConnectionPenalties.duration))
    #expect(!penalties.isEnded(peer("b"), now: start))
  }

  @Test func itsKeyConnectsOncePerPauseUntilTheWhileIsOver() {
    var penalties = ConnectionPenalties()
    penalties.end(peer("a"), user: "bad", now: start)
    #expect([penalties.admits("bad", now: start), penalties.admits("good", now: start)] == [false, true])
    var admitted = 0
    for step in 0..<300 where penalties.admits("bad", now: start + .milliseconds(100 * step)) { admitted += 1 }
    // The slots of 30 s, the first after one pause.
    #expect(admitted == 29)
    let later = start + ConnectionPenalties.duration
    let answers = (0..<10).map { _ in penalties.admits("bad", now: later) }
    #expect(answers.allSatisfy { $0 })
  }

  @Test func withoutKeysOnlyTheConnectionIsUnheard() {
    var penalties = ConnectionPenalties()
    penalties.end(peer("a"), user: nil, now: start)
    #expect(penalties.isEnded(peer("a"), now: start))
    let isAdmitted = penalties.admits("", now: start)
    #expect(isAdmitted)
  }

  @Test func whatIsRememberedIsBounded() {
    var penalties = ConnectionPenalties()
    var origins = ConnectionOrigins()
    for index in 0..<20_000 {
      let now = start + .seconds(index)
      penalties.end(peer("\(index)"), user: "\(index)", now: now)
      origins.note(peer("\(index)"), user: "\(index)", descriptor: 3, now: now)
    }
    #expect(penalties.count <= 2 * 1024)
    #expect(origins.count <= 4096 + 1)
    // The newest are among them.
    #expect(penalties.isEnded(peer("19999"), now: start + .seconds(19_999)))
    let users = [origins.remove(peer("19999"))?.user, origins.remove(peer("19999"))?.user]
    #expect(users == ["19999", nil])
  }
}
