import CZeroMQ
import Foundation

/// Decides in the handshake who is admitted (ZeroMQ Authentication Protocol, RFC 27), by public key.
///
/// Lives on the server's thread. NULL and PLAIN are refused whatever they bring.
final class ZAPHandler {
  /// The domain of our sockets.
  static let domain = "engram"

  /// Requests that are answered per turn of the loop.
  static let requestsPerTurn = 64

  let socket: ZeroMQSocket
  private let keys: AdmittedKeys
  private var changes: [AdmittedKeys.Change] = []
  private var refusals = 0
  private var lastRefusal: (key: String, address: String)?
  private var lastReport: ContinuousClock.Instant?

  init(context: ZeroMQContext, keys: AdmittedKeys) throws {
    socket = try ZeroMQSocket(context, type: ZMQ_ROUTER)
    try socket.set(ZMQ_LINGER, Int32(0))
    guard zmq_bind(socket.pointer, "inproc://zeromq.zap.01") == 0 else {
      throw TransportError(.system, "cannot start the ZAP handler: \(ZeroMQLibrary.lastError())")
    }
    self.keys = keys
    changes = keys.look(now: .now, isHandshake: true)
  }

  /// Answers the requests that wait, a bounded number of them.
  func handleRequests() {
    changes += keys.look(now: .now, isHandshake: true)
    for _ in 0..<Self.requestsPerTurn {
      guard let request = socket.receive(frameLimit: 16) else { return }
      // [routing id, empty, version, request id, domain, address, identity, mechanism, credentials …]
      guard let empty = request.frames.firstIndex(of: []), request.frames.count >= empty + 7 else { continue }
      let envelope = request.frames[...empty]
      let fields = Array(request.frames[(empty + 1)...])
      let user = decide(fields)
      let status = user == nil ? ("400", "not authorised") : ("200", "OK")
      let reply: [[UInt8]] = [
        fields[0], fields[1], Array(status.0.utf8), Array(status.1.utf8), Array((user ?? "").utf8), [],
      ]
      _ = socket.send(envelope + reply)
    }
  }

  /// The user id of an admitted connection (its public key); nil = refuse.
  private func decide(_ fields: [[UInt8]]) -> String? {
    let address = String(decoding: fields[3].prefix(64), as: UTF8.self)
    let mechanism = String(decoding: fields[5].prefix(16), as: UTF8.self)
    guard
      fields[0] == Array("1.0".utf8), fields[2] == Array(Self.domain.utf8), mechanism == "CURVE", fields.count == 7,
      let key = PublicKey(bytes: fields[6])
    else {
      refuse(mechanism == "CURVE" ? "?" : mechanism, address)
      return nil
    }
    guard keys.admits(key) else {
      refuse(key.fingerprint, address)
      return nil
    }
    return key.text
  }

  /// What has changed in the folder of admitted keys since the last call.
  func takeChanges() -> [AdmittedKeys.Change] {
    changes += keys.look(now: .now)
    defer { changes = [] }
    return changes
  }

  /// Whether an open connection's key is still admitted.
  func isStillAuthorized(_ user: String?) -> Bool {
    guard let user, let key = try? PublicKey(user) else { return false }
    return keys.admits(key)
  }

  private func refuse(_ key: String, _ address: String) {
    refusals += 1
    lastRefusal = (key, address)
  }

  /// What to report about refusals: at most one event per second.
  func takeReport() -> ServerEvent? {
    guard let last = lastRefusal, lastReport.map({ $0.duration(to: .now) > .seconds(1) }) ?? true else { return nil }
    defer {
      refusals = 0
      lastRefusal = nil
      lastReport = .now
    }
    return .turnedAway(key: last.key, address: last.address, count: refusals)
  }
}
