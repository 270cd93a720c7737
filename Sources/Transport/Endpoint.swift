import Foundation
import Glibc

/// Where a coordinator listens: a socket file of this user, or a TCP address.
package enum Endpoint: Sendable, Equatable, CustomStringConvertible {
  /// A Unix domain socket.
  case ipc(path: String)
  /// A TCP address; `host` may be `*` (bind on every interface), `port` 0 (let the system choose).
  case tcp(host: String, port: UInt16)

  /// Reads `ipc://PATH` or `tcp://HOST:PORT` (`tcp://[::1]:PORT`, `tcp://*:0`).
  ///
  /// - Throws: ``TransportError`` `badEndpoint`.
  package init(_ text: String) throws {
    if text.hasPrefix("ipc://") {
      let path = String(text.dropFirst(6))
      guard !path.isEmpty, path != "*" else {
        throw TransportError(.badEndpoint, "\(text): name the socket file, as in ipc:///run/user/1000/engram/study")
      }
      // sun_path has 108 bytes with the terminating zero.
      guard path.utf8.count <= Self.longestPath else {
        throw TransportError(
          .badEndpoint,
          "\(text): the path of a socket has at most \(Self.longestPath) bytes, this one \(path.utf8.count); "
            + "set XDG_RUNTIME_DIR or TMPDIR to a shorter folder")
      }
      self = .ipc(path: path)
      return
    }
    let address = text.dropFirst(6)
    guard text.hasPrefix("tcp://"), let colon = address.lastIndex(of: ":") else {
      throw TransportError(.badEndpoint, "\(text): expected tcp://HOST:PORT or ipc://PATH")
    }
    let host = String(address[..<colon])
    let portText = String(address[address.index(after: colon)...])
    guard !host.isEmpty, let port = portText == "*" ? 0 : UInt16(portText) else {
      throw TransportError(.badEndpoint, "\(text): expected tcp://HOST:PORT with a port from 0 to 65535")
    }
    self = .tcp(host: host, port: port)
  }

  static let longestPath = 107

  package var description: String {
    switch self {
    case .ipc(let path): "ipc://\(path)"
    case .tcp(let host, let port): "tcp://\(host):\(port == 0 ? "*" : String(port))"
    }
  }

  /// The endpoint of the study in `folder` for processes of this user on this machine.
  ///
  /// The socket lies in a folder of mode 0700 under `$XDG_RUNTIME_DIR`, or under the temporary folder, with a name
  /// made from the study folder's absolute path. The folder is made; one that others could use is refused.
  package static func local(
    studyFolder: URL, environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> Endpoint {
    let folder: String
    if let runtime = environment["XDG_RUNTIME_DIR"], !runtime.isEmpty, access(runtime, W_OK) == 0 {
      folder = runtime + "/engram"
    } else {
      folder = (environment["TMPDIR"] ?? "/tmp") + "/engram-\(getuid())"
    }
    try PrivateFolder.make(folder)
    let path = studyFolder.standardizedFileURL.resolvingSymlinksInPath().path
    return try Endpoint("ipc://\(folder)/\(Self.digest(path))")
  }

  /// Two FNV-1a hashes as 32 hexadecimal digits: short, and different for different folders.
  private static func digest(_ text: String) -> String {
    [0xcbf2_9ce4_8422_2325, 0x6c62_272e_07bb_0142].map { (basis: UInt64) in
      let hash = text.utf8.reduce(basis) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
      let digits = String(hash, radix: 16)
      return String(repeating: "0", count: 16 - digits.count) + digits
    }.joined()
  }
}

/// A folder that only this user can enter.
enum PrivateFolder {
  /// Makes `path` with mode 0700, or checks that it belongs to this user and sets its mode.
  static func make(_ path: String) throws {
    if mkdir(path, 0o700) != 0 && errno != EEXIST {
      throw TransportError(
        .unsafeFolder, "cannot make the folder \(path): \(String(cString: strerror(errno))); set TMPDIR to one you own")
    }
    var info = stat()
    guard lstat(path, &info) == 0, info.st_mode & S_IFMT == S_IFDIR, info.st_uid == getuid() else {
      throw TransportError(
        .unsafeFolder, "\(path) is not a folder of this user; remove it, or set TMPDIR to a folder you own")
    }
    guard info.st_mode & 0o077 == 0 || chmod(path, 0o700) == 0 else {
      throw TransportError(.unsafeFolder, "\(path) is open to other users; run chmod 700 \(path)")
    }
  }
}
