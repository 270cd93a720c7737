import Glibc

/// Looks at sockets without ZeroMQ.
enum UnixSocket {
  /// Whether a process accepts connections at `path`.
  static func hasListener(_ path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    let capacity = MemoryLayout.size(ofValue: address.sun_path)
    guard bytes.count < capacity else { return false }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
      }
    }
  }

  /// Ends the connection behind a descriptor; what is not a connection is left alone.
  ///
  /// ROUTER sockets have no way to turn a peer out; its descriptor has. Should the descriptor have found another owner
  /// meanwhile, that can only be another accepted connection, whose client connects again.
  static func shutDown(_ descriptor: Int32?) {
    guard let descriptor else { return }
    var isListening: Int32 = 0
    var size = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &isListening, &size) == 0, isListening == 0 else { return }
    shutdown(descriptor, Int32(SHUT_RDWR))
  }
}
