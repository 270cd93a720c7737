import Foundation
import Transport

extension Endpoint {
  /// The address that workers use: every interface (0.0.0.0) is none that one can connect to.
  package var reachable: String {
    let host = ProcessInfo.processInfo.hostName
    return "\(self)".replacingOccurrences(of: "//0.0.0.0:", with: "//\(host):")
      .replacingOccurrences(of: "//*:", with: "//\(host):")
  }
}

extension KeyStore {
  /// - Parameter path: `--keys`; nil: the user's own folder.
  package init(path: String?) { self.init(folder: path.map { URL(fileURLWithPath: $0, isDirectory: true) }) }
}

extension ZeroMQServer.Security {
  /// The server's key pair and list for an address; none for a socket file.
  package init(for endpoint: Endpoint, keys: String?) throws {
    guard case .tcp = endpoint else {
      self = .none
      return
    }
    let store = KeyStore(path: keys)
    do {
      self = .curve(try store.pair(name: "server"), authorizedFolder: store.authorizedFolder)
    } catch let error as TransportError where error.code == .keyNotFound {
      throw CommandError(
        .refused,
        "\(endpoint): every TCP bind needs CURVE keys, and there are none in \(store.folder.path). Make them with: "
          + "engram keys generate server, then admit workers with: engram keys authorize NAME")
    }
  }
}

extension ZeroMQClient.Security {
  /// A worker's key pair for an address; none for a socket file.
  ///
  /// - Parameter key: the pair's name in the folder.
  package init(for endpoint: Endpoint, keys: String?, key: String) throws {
    guard case .tcp = endpoint else {
      self = .none
      return
    }
    let store = KeyStore(path: keys)
    self = .curve(try store.pair(name: key), server: try store.publicKey(name: "server"))
  }
}
