import TestSupport
import Testing
import WireProtocol

@testable import Transport

@Suite("How fast a connection may speak", .bounded) struct MessageGateTests {
  private let start = ContinuousClock.now
  private let peer = Peer(id: Array("w.1".utf8))
  private func frames(_ number: Int, bytes: Int = 4) -> WireFrames {
    WireFrames(json: Array("\(number)".utf8), attachment: bytes > 4 ? [UInt8](repeating: 0, count: bytes) : nil)
  }
  private func gate(_ change: (inout ServerLimits) -> Void = { _ in }) -> MessageGate {
    var limits = ServerLimits()
    limits.messagesPerSecond = 100
    limits.messageBurst = 200
    limits.waitingMessages = 30
    change(&limits)
    return MessageGate(limits: limits)
  }

  @Test("what is too fast waits, keeps its order, and is let through at the stated pace") func slowed() {
    var gate = gate()
    gate.open(3, isOnProbation: false, now: start)
    let verdicts = (0..<45).map { gate.admit(3, peer, frames($0), now: start) }
    // A new connection begins with a tenth of the burst.
    #expect(verdicts == Array(repeating: .pass, count: 20) + Array(repeating: .wait, count: 25))
    #expect(gate.due(now: start).isEmpty)
    var released: [[UInt8]] = []
    for step in 1...10 { released += gate.due(now: start + .milliseconds(20 * step)).map(\.frames.json) }
    #expect(released == (20..<40).map { frames($0).json })
    // A message that comes now stands behind those that wait.
    #expect(gate.admit(3, peer, frames(45), now: start + .milliseconds(201)) == .wait)
    released = gate.due(now: start + .seconds(1)).map(\.frames.json)
    #expect(released == (40...45).map { frames($0).json })
    #expect(!gate.hasWaiting)
  }

  @Test("who sends on without end is ended") func overflow() {
    var gate = gate()
    gate.open(3, isOnProbation: false, now: start)
    var verdicts = (0..<50).map { gate.admit(3, peer, frames($0), now: start) }
    #expect(!verdicts.contains(.overflow))
    #expect(gate.admit(3, peer, frames(50), now: start) == .overflow)
    // Bytes count as well.
    gate = self.gate { $0.waitingBytes = 1000 }
    gate.open(3, isOnProbation: false, now: start)
    verdicts = (0..<20).map { gate.admit(3, peer, frames($0), now: start) }
    #expect(gate.admit(3, peer, frames(21, bytes: 900), now: start) == .wait)
    #expect(gate.admit(3, peer, frames(22, bytes: 900), now: start) == .overflow)
  }

  @Test("others are not slowed, and a closed connection leaves nothing behind") func apart() {
    var gate = gate()
    for descriptor in Int32(3)...4 { gate.open(descriptor, isOnProbation: false, now: start) }
    for number in 0..<40 { _ = gate.admit(3, peer, frames(number), now: start) }
    #expect(gate.admit(4, Peer(id: Array("x.1".utf8)), frames(0), now: start) == .pass)
    gate.close(3)
    #expect(!gate.hasWaiting && gate.count == 1)
    #expect(gate.due(now: start + .seconds(9)).isEmpty)
  }

  @Test("after a pause the burst is there again, on probation it is small") func burst() {
    var gate = gate()
    gate.open(3, isOnProbation: false, now: start)
    let later = start + .seconds(60)
    #expect((0..<200).allSatisfy { gate.admit(3, peer, frames($0), now: later) == .pass })
    #expect(gate.admit(3, peer, frames(200), now: later) == .wait)
    gate.open(4, isOnProbation: true, now: start)
    let verdicts = (0..<30).map { gate.admit(4, peer, frames($0), now: later) }
    #expect(verdicts.filter { $0 == .pass }.count == Int(ServerLimits().probationBurst))
  }

  @Test("a worker that waits for its answers is never slowed by the standard limits") func honest() {
    var gate = MessageGate(limits: ServerLimits())
    gate.open(3, isOnProbation: false, now: start)
    // 900 messages a second, for a minute.
    let verdicts = (0..<54_000).map { gate.admit(3, peer, frames($0), now: start + .microseconds(1111 * $0)) }
    #expect(verdicts.allSatisfy { $0 == .pass })
  }

  @Test("a frame's bytes on the wire are known exactly") func wireBytes() {
    // Head, "MESSAGE" command, nonce, proof and flags.
    #expect(WireFrames.wireBytes(ofFrame: 0) == 2 + 33)
    #expect(WireFrames.wireBytes(ofFrame: 222) == 222 + 2 + 33)
    #expect(WireFrames.wireBytes(ofFrame: 223) == 223 + 9 + 33)
  }
}
