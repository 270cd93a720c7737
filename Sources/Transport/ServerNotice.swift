/// What a server has done to protect itself, or what hinders it.
package enum ServerNotice: Sendable, Equatable, CustomStringConvertible {
  /// Connections that had not yet said anything were ended, so that they do not take the place or the memory of others.
  case unheardEnded(count: Int, address: String, limit: String)
  /// A connection was ended because of what it sent: too much at a time, too fast, or no greeting after a violation.
  case connectionEnded(Peer, why: String, count: Int)
  /// No connection could be accepted; the operating system's reason.
  case acceptFailed(String, count: Int)
  /// The list of admitted keys could not be read; the last one stays in force.
  case allowListKept(folder: String, error: String, keys: Int)
  /// The list of admitted keys can be read again.
  case allowListBack(folder: String, keys: Int)
  /// A file in the folder of admitted keys is left out.
  case notAKey(file: String, why: String)

  package var description: String {
    switch self {
    case .unheardEnded(let count, let address, let limit):
      return "ended \(count) connection(s) that had said nothing yet, the last from \(address): \(limit)"
    case .connectionEnded(let peer, let why, let count):
      let whose = peer.identity.map { " of key \($0.fingerprint)" } ?? ""
      let others = count > 1 ? " (and \(count - 1) more)" : ""
      return "connection \(peer)\(whose) was ended\(others): \(why)"
    case .acceptFailed(let reason, let count):
      return "cannot accept connections (\(count) attempts): \(reason); raise the limit with ulimit -n"
    case .allowListKept(let folder, let error, let keys):
      return "cannot read the admitted keys in \(folder): \(error); the last list of \(keys) key(s) stays in force. "
        + "To admit nobody, leave the folder empty"
    case .allowListBack(let folder, let keys):
      return "the admitted keys in \(folder) can be read again: \(keys)"
    case .notAKey(let file, let why): return "\(file) admits nobody: \(why)"
    }
  }
}
