import Transport
import WireProtocol

/// A coordinator's transport with failpoints around every assignment and every acknowledgement.
final class FailpointServer: ServerTransport {
  private let base: any ServerTransport

  init(_ base: any ServerTransport) { self.base = base }

  var endpoint: String { base.endpoint }
  var events: Inbox<ServerEvent> { base.events }

  func send(_ frames: WireFrames, to peer: Peer) {
    let name = Self.name(frames)
    if let name { Failpoint.pass("\(name).before") }
    base.send(frames, to: peer)
    if let name { Failpoint.pass("\(name).after") }
  }

  private static func name(_ frames: WireFrames) -> String? {
    // What the coordinator sends it has encoded itself; anything else has no failpoint.
    switch try? MessageCodec().decode(frames, from: .coordinator).message {
    case .assign?: "assign"
    case .ack?: "ack"
    default: nil
    }
  }

  func disconnect(_ peer: Peer) { base.disconnect(peer) }
  func close() { base.close() }
}
