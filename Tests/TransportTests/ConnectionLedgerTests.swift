import TestSupport
import Testing

@testable import Transport

@Suite("The ledger of connections", .bounded) struct ConnectionLedgerTests {
  private let start = ContinuousClock.now
  private func peer(_ name: String) -> Peer { Peer(id: Array(name.utf8), identity: PeerIdentity(key: "k")) }

  private func ledger(connections: Int = 1000, _ change: (inout ServerLimits) -> Void = { _ in }) -> ConnectionLedger {
    var limits = ServerLimits()
    change(&limits)
    return ConnectionLedger(limits: limits, maximumConnections: connections)
  }

  private func accept(
    _ ledger: inout ConnectionLedger, _ descriptor: Int32, from address: String = "10.0.0.1"
  ) -> ConnectionLedger.Ending? {
    ledger.accept(
      descriptor, remote: "\(address):\(descriptor)", address: address, now: start + .seconds(Int(descriptor)))
  }

  @Test("beyond the limit of unheard connections the oldest of the busiest address goes") func unheardTotal() {
    var ledger = ledger { $0.unheard = 5 }
    #expect(accept(&ledger, 1, from: "10.0.0.9") == nil)
    for descriptor in Int32(2)...5 { #expect(accept(&ledger, descriptor) == nil) }
    #expect(accept(&ledger, 6)?.descriptor == 2)
    // Another address that comes late is not the victim either.
    let ending = accept(&ledger, 7, from: "10.0.0.8")
    #expect(ending?.descriptor == 3)
    #expect(ending?.why == .unheardTotal(5))
    #expect(ledger.unheardCount == 5)
  }

  @Test("one address has a limit of its own") func unheardPerAddress() {
    var ledger = ledger { $0.unheardPerAddress = 2 }
    #expect(accept(&ledger, 1) == nil && accept(&ledger, 2) == nil)
    #expect(accept(&ledger, 3, from: "10.0.0.2") == nil)
    let ending = accept(&ledger, 4)
    #expect(ending?.descriptor == 1 && ending?.why == .unheardPerAddress(2) && ending?.address == "10.0.0.1")
  }

  @Test("of a thousand that come at once none is ended in mid-handshake for another") func herd() {
    var ledger = ledger { $0.unheardPerAddress = 100 }
    var turnedAway: [Int32] = []
    for descriptor in Int32(1)...300 {
      let ending = ledger.accept(
        descriptor, remote: "\(descriptor)", address: "10.0.0.1", now: start + .milliseconds(Int(descriptor)))
      if let ending { turnedAway.append(ending.descriptor) }
    }
    #expect(turnedAway == Array(101...300))
    // Their second is over: silent ones make room, the oldest first.
    let later = start + .milliseconds(1) + ConnectionLedger.grace
    #expect(ledger.accept(301, remote: "301", address: "10.0.0.1", now: later)?.descriptor == 1)
    #expect(ledger.accept(302, remote: "302", address: "10.0.0.1", now: later)?.descriptor == 302)
  }

  @Test("at the limit of descriptors those who have spoken keep their place") func connectionsHeardFirst() {
    var ledger = ledger(connections: 4)
    for descriptor in Int32(1)...3 {
      #expect(accept(&ledger, descriptor) == nil)
      #expect(ledger.hear(descriptor, peer("w\(descriptor)"), wireBytes: 10) == .first)
    }
    #expect(accept(&ledger, 4) == nil)
    for descriptor in Int32(5)...50 {
      let ending = accept(&ledger, descriptor)
      #expect(ending?.descriptor == descriptor - 1 && ending?.why == .connections(4))
    }
    #expect(ledger.count == 4 && ledger.unheardCount == 1)
    for number in 1...3 { #expect(ledger.descriptor(of: peer("w\(number)")) == Int32(number)) }
  }

  @Test("what is remembered of arrivals is bounded by those who wait") func arrivals() {
    var ledger = ledger { $0.unheard = 100 }
    // One that stays silent at the front, and many that speak.
    _ = accept(&ledger, 1)
    for descriptor in Int32(2)...20_000 {
      #expect(accept(&ledger, descriptor) == nil)
      ledger.hearFirst(descriptor, peer("w\(descriptor)"))
      ledger.remove(descriptor)
    }
    #expect(ledger.arrivalCount < 1000 && ledger.unheardCount == 1 && ledger.count == 1)
    for descriptor in Int32(20_001)...20_500 { _ = accept(&ledger, descriptor) }
    #expect(ledger.unheardCount == 100 && ledger.arrivalCount < 1000)
    for descriptor in Int32(20_401)...20_500 { ledger.remove(descriptor) }
    #expect(ledger.arrivalCount == 0 && ledger.count == 0)
  }

  @Test("bytes without the end of a message end their connection, bytes of messages do not") func connectionBytes() {
    var ledger = ledger { $0.connectionBytes = 1000 }
    _ = accept(&ledger, 1)
    _ = accept(&ledger, 2)
    #expect(ledger.hear(1, peer("a"), wireBytes: 50_000) == .first)
    #expect(ledger.hear(2, peer("b"), wireBytes: 50) == .first)
    #expect(ledger.hear(2, peer("b"), wireBytes: 50) == .further)
    #expect(ledger.takeStock { descriptor, _ in descriptor == 1 ? 51_000 : 1_100 } == [])
    let endings = ledger.takeStock { descriptor, _ in descriptor == 1 ? 51_000 : 1_101 }
    #expect(endings.map(\.descriptor) == [2] && endings.first?.why == .connectionBytes(1000))
    // What still comes of it is late.
    #expect(ledger.hear(2, peer("b"), wireBytes: 50) == .late)
    #expect(ledger.hear(9, peer("c"), wireBytes: 50) == .late)
    #expect(ledger.hear(1, peer("c"), wireBytes: 50) == .late)
  }

  @Test("of all together the largest go, strangers and workers apart") func totals() {
    var ledger = ledger {
      $0.unheardBytes = 100
      $0.totalBytes = 1000
    }
    let held: [Int32: Int] = [1: 400, 2: 500, 3: 200, 4: 60, 5: 30, 6: 20]
    for descriptor in Int32(1)...6 { _ = accept(&ledger, descriptor) }
    for descriptor in Int32(1)...3 { ledger.hearFirst(descriptor, peer("w\(descriptor)")) }
    let endings = ledger.takeStock { descriptor, _ in held[descriptor] }
    #expect(endings.map(\.descriptor) == [4, 2])
    #expect(endings.map(\.why) == [.unheardBytes(100), .totalBytes(1000)])
    #expect(ledger.takeStock { descriptor, _ in held[descriptor] } == [])
    // Unknown counts (ipc) are nobody's fault.
    #expect(ledger.takeStock { _, _ in nil } == [])
  }

  @Test("a descriptor that is taken again is another connection") func reuse() {
    var ledger = ledger()
    _ = accept(&ledger, 1)
    ledger.hearFirst(1, peer("a"))
    #expect(ledger.descriptors(of: PeerIdentity(key: "k")) == [1])
    _ = accept(&ledger, 1)
    #expect(ledger.descriptor(of: peer("a")) == nil && ledger.unheardCount == 1 && ledger.count == 1)
    ledger.remove(1)
    #expect(ledger.count == 0 && ledger.unheardCount == 0)
    #expect(ledger.end(1, .totalBytes(1)) == nil)
  }

  @Test("notices come at most once a second and kind, with their number") func notices() {
    var board = NoticeBoard()
    for _ in 0..<3 { board.add(.unheardEnded(count: 1, address: "10.0.0.1", limit: "x")) }
    board.add(.acceptFailed("no", count: 1))
    let first = board.due(now: start).sorted { "\($0)" < "\($1)" }
    #expect(first == [.acceptFailed("no", count: 1), .unheardEnded(count: 3, address: "10.0.0.1", limit: "x")])
    board.add(.unheardEnded(count: 1, address: "10.0.0.2", limit: "x"))
    board.add(.unheardEnded(count: 1, address: "10.0.0.3", limit: "x"))
    #expect(board.due(now: start + .milliseconds(900)) == [])
    #expect(board.due(now: start + .seconds(1)) == [.unheardEnded(count: 2, address: "10.0.0.3", limit: "x")])
    #expect(board.due(now: start + .seconds(9)) == [])
  }
}

extension ConnectionLedger {
  fileprivate mutating func hearFirst(_ descriptor: Int32, _ peer: Peer) {
    _ = hear(descriptor, peer, wireBytes: 0)
  }
}
