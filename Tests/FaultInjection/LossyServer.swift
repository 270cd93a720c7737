import Foundation
import RandomStreams
import Synchronization
import Transport
import WireProtocol

/// Loses a share of what it is given to send.
///
/// `ENGRAM_TRANSPORT_FAULT=drop-replies:RATE:SEED` drops that share of everything the coordinator sends, after the deed
/// that it answers is committed: the fault that finds missing idempotence. At the end the number of drops is printed, so
/// that a test can assert that they happened.
final class LossyServer: ServerTransport {
  private struct State {
    var random: RandomStream
    var sent = 0
    var dropped = 0
  }

  private let base: any ServerTransport
  private let rate: Double
  private let state: Mutex<State>

  /// Nil where the environment orders no such fault.
  init?(_ base: any ServerTransport) {
    let order = ProcessInfo.processInfo.environment[FaultVariable.transport.rawValue] ?? ""
    let parts = order.split(separator: ":")
    guard parts.count == 3, parts[0] == "drop-replies", let rate = Double(parts[1]), let seed = UInt64(parts[2]) else {
      return nil
    }
    self.base = base
    self.rate = rate
    state = Mutex(State(random: RandomStream(seed: seed, purpose: "fault/transport")))
  }

  var endpoint: String { base.endpoint }
  var events: Inbox<ServerEvent> { base.events }

  func send(_ frames: WireFrames, to peer: Peer) {
    let isLost = state.withLock { state in
      state.sent += 1
      guard state.random.uniform() < rate else { return false }
      state.dropped += 1
      return true
    }
    if !isLost { base.send(frames, to: peer) }
  }

  func disconnect(_ peer: Peer) { base.disconnect(peer) }

  func close() {
    let (dropped, sent) = state.withLock { ($0.dropped, $0.sent) }
    FileHandle.standardError.write(Data("fault: \(dropped) of \(sent) replies were dropped\n".utf8))
    base.close()
  }
}
