import TestSupport
import Testing

@testable import Transport

@Suite("What follows for a connection that broke the protocol", .bounded) struct ConnectionPenaltiesTests {
  private let start = ContinuousClock.now
  private let key = PeerIdentity(key: "shared")
  private func peer(_ name: String, _ identity: PeerIdentity? = nil) -> Peer {
    Peer(id: Array(name.utf8), identity: identity)
  }

  @Test("it is unheard for a minute, and no other") func endedIsUnheard() {
    var penalties = ConnectionPenalties()
    #expect(!penalties.isEnded(peer("a.1"), now: start))
    penalties.end(peer("a.1"), now: start)
    #expect(penalties.isEnded(peer("a.1"), now: start))
    #expect(penalties.isEnded(peer("a.1"), now: start + ConnectionPenalties.duration - .seconds(1)))
    #expect(!penalties.isEnded(peer("a.1"), now: start + ConnectionPenalties.duration))
    #expect(!penalties.isEnded(peer("b.1"), now: start))
  }

  @Test("its worker pauses for longer each time, others of its key do not pause at all") func pausesDouble() {
    var penalties = ConnectionPenalties()
    var now = start
    var pauses: [Int] = []
    for connection in 1...9 {
      penalties.end(peer("mad.\(connection)", key), now: now)
      #expect(!penalties.mustPause(peer("good.1", key), now: now))
      // The same name under another key is another worker.
      #expect(!penalties.mustPause(peer("mad.1", PeerIdentity(key: "other")), now: now))
      var seconds = 0
      while penalties.mustPause(peer("mad.\(connection + 1)", key), now: now + .seconds(seconds)) { seconds += 1 }
      pauses.append(seconds)
      now = now + .seconds(seconds)
    }
    #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    // Long ago is forgotten.
    now = now + ConnectionPenalties.memory + .seconds(61)
    penalties.end(peer("mad.10", key), now: now)
    #expect(!penalties.mustPause(peer("mad.11", key), now: now + .seconds(1)))
  }

  @Test("its key is on probation for a minute, without keys nobody is") func probation() {
    var penalties = ConnectionPenalties()
    penalties.end(peer("a.1", key), now: start)
    penalties.end(peer("b.1"), now: start)
    #expect(penalties.isOnProbation(key, now: start))
    #expect(!penalties.isOnProbation(key, now: start + ConnectionPenalties.duration))
    #expect(!penalties.isOnProbation(PeerIdentity(key: "other"), now: start))
    #expect(!penalties.isOnProbation(nil, now: start))
  }

  @Test("what is remembered is bounded, whatever the pace") func bounded() {
    for pace in [Duration.seconds(1), .milliseconds(1), .zero] {
      var penalties = ConnectionPenalties()
      var now = start
      for index in 0..<5_000 {
        now = now + pace
        penalties.end(peer("\(index).1", PeerIdentity(key: "\(index)")), now: now)
      }
      #expect(penalties.count <= 3 * ConnectionPenalties.capacity)
      #expect(penalties.isEnded(peer("4999.1", PeerIdentity(key: "4999")), now: now))
    }
  }
}
