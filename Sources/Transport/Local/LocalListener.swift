import CZeroMQ
import Foundation
import Glibc

/// A socket file of this user that others connect to; removed with its end.
final class LocalListener {
  enum Acceptance {
    case connection(Int32)
    case nothing
    /// The operating system's error.
    case failure(Int32)
  }

  let descriptor: Int32
  private let path: String
  private var inode: UInt64 = 0

  /// - Throws: ``TransportError``: a living process listens there, no permission, no such folder …
  init(path: String) throws {
    self.path = path
    try Self.prepare(path)
    descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
    guard descriptor >= 0 else {
      throw TransportError(.system, "cannot make a socket: \(String(cString: strerror(errno))); see ulimit -n")
    }
    // The file is this user's alone from its first moment on. The mask is the whole process's: what another thread
    // makes in this instant is private as well.
    let mask = umask(0o177)
    let status = UnixSocket.withAddress(path) { Glibc.bind(descriptor, $0, $1) } ?? -1
    let code = errno
    umask(mask)
    guard status == 0 else {
      Glibc.close(descriptor)
      throw Self.bindError(path, code)
    }
    do {
      inode = try Self.checkMode(path)
    } catch {
      Glibc.close(descriptor)
      throw error
    }
    // A thousand workers may connect at once after a restart.
    guard listen(descriptor, 1024) == 0 else {
      let code = errno
      Glibc.close(descriptor)
      throw Self.bindError(path, code)
    }
  }

  deinit {
    Glibc.close(descriptor)
    // Another coordinator may have put its own there meanwhile.
    var info = stat()
    if lstat(path, &info) == 0, UInt64(info.st_ino) == inode { unlink(path) }
  }

  func accept() -> Acceptance {
    let flags = Int32(SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
    let accepted = engram_accept(descriptor, flags)
    if accepted >= 0 { return .connection(accepted) }
    switch errno {
    case EAGAIN, EINTR, ECONNABORTED: return .nothing
    default: return .failure(errno)
    }
  }

  /// Some file systems know no modes: a socket that others can open is no door for this user alone.
  private static func checkMode(_ path: String) throws -> UInt64 {
    var info = stat()
    let isPrivate = lstat(path, &info) == 0 && info.st_mode & 0o077 == 0
    guard isPrivate || (chmod(path, 0o600) == 0 && lstat(path, &info) == 0 && info.st_mode & 0o077 == 0) else {
      unlink(path)
      throw TransportError(
        .unsafeFolder, "\(path) would be open to other users: this file system keeps no modes; choose another folder")
    }
    return UInt64(info.st_ino)
  }

  /// What is left of a coordinator that was killed is removed; what lives, or is no socket, stays.
  private static func prepare(_ path: String) throws {
    var info = stat()
    guard lstat(path, &info) == 0 else { return }
    guard info.st_mode & S_IFMT == S_IFSOCK else {
      throw TransportError(.addressInUse, "\(path) is there already and is no socket; remove it or choose another path")
    }
    if UnixSocket.hasListener(path) {
      throw TransportError(
        .addressInUse, "another process listens on \(path); a coordinator of this study is running already")
    }
    unlink(path)
  }

  private static func bindError(_ path: String, _ code: Int32) -> TransportError {
    switch code {
    case EADDRINUSE: TransportError(.addressInUse, "\(path) is in use; another coordinator was started at this moment")
    case EACCES, EPERM, EROFS:
      TransportError(.permissionDenied, "no permission to make the socket \(path); choose a folder of your own")
    case ENOENT, ENOTDIR:
      TransportError(.badEndpoint, "ipc://\(path): the folder of the socket does not exist")
    default: TransportError(.system, "cannot listen on \(path): \(String(cString: strerror(code)))")
    }
  }
}
