import Foundation
import WireProtocol

@testable import Transport

/// Keys and a coordinator on a TCP port of this machine.
struct SecureStudy {
  let study: FaultStudy
  let store: KeyStore
  let server: KeyPair
  let coordinator: FaultProcess
  let endpoint: String

  init(_ name: String, _ options: FaultStudy.Options, authorized: [String]) throws {
    study = try FaultStudy(name, options)
    store = KeyStore(folder: URL(fileURLWithPath: study.path("keys"), isDirectory: true))
    server = try store.generate(name: "server")
    for name in authorized { try store.authorize(name: name, publicKey: store.generate(name: name).publicKey) }
    endpoint = "tcp://127.0.0.1:\(try Self.freePort())"
    coordinator = try study.coordinator(bind: endpoint, more: ["--keys", store.folder.path])
  }

  var port: UInt16 { UInt16(endpoint.split(separator: ":").last ?? "") ?? 0 }

  /// Workers that are let in with the key `name`.
  func host(_ name: String, count: Int, trialSeconds: Double) throws -> SessionHost {
    var options = SessionHost.Options(study, trialSeconds: trialSeconds)
    options.endpoint = endpoint
    options.keys = SessionHost.Keys(pair: try store.pair(name: name), server: server.publicKey)
    return SessionHost(options, count: count)
  }

  private static func freePort() throws -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    defer { close(descriptor) }
    return try LocalSocket.bind(descriptor)
  }
}
