import Glibc

/// Looks at sockets without ZeroMQ.
enum UnixSocket {
  /// Whether a process accepts connections at `path`.
  static func hasListener(_ path: String) -> Bool {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return false }
    defer { Glibc.close(descriptor) }
    return withAddress(path) { connect(descriptor, $0, $1) } == 0
  }

  /// Calls `body` with the address of a socket file; nil where the path is too long for one.
  static func withAddress<T>(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> T) -> T? {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
  }

  /// The other end of a connection.
  struct Remote: Equatable {
    /// With the port: this connection and no other.
    var full: String
    /// Without it: the machine.
    var address: String
  }

  /// The other end of the connection behind a descriptor; nil where there is no connection (any more).
  static func remote(_ descriptor: Int32) -> Remote? {
    var storage = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address -> Remote? in
        guard getpeername(descriptor, address, &size) == 0 else { return nil }
        var host = [CChar](repeating: 0, count: 128)
        var port = [CChar](repeating: 0, count: 16)
        let flags = NI_NUMERICHOST | NI_NUMERICSERV
        guard
          getnameinfo(address, size, &host, socklen_t(host.count), &port, socklen_t(port.count), flags) == 0
        else { return nil }
        return Remote(full: "\(CurveKey.string(host)):\(CurveKey.string(port))", address: CurveKey.string(host))
      }
    }
  }

  /// Bytes that a TCP connection has received in its life; nil for other descriptors.
  ///
  /// glibc's `tcp_info` ends before this field of the kernel's (64 bits at offset 128, since Linux 4.1).
  static func receivedBytes(_ descriptor: Int32) -> Int? {
    var info = [UInt64](repeating: 0, count: 32)
    var size = socklen_t(info.count * 8)
    guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &info, &size) == 0, size >= 136 else { return nil }
    return Int(clamping: info[16])
  }

  /// Bytes that have arrived and that nobody has read yet.
  static func unreadBytes(_ descriptor: Int32) -> Int {
    var count: Int32 = 0
    return ioctl(descriptor, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
  }

  /// Ends the connection behind a descriptor; what is not this connection is left alone.
  ///
  /// ROUTER sockets have no way to turn a peer out; its descriptor has. Should the descriptor have found another owner
  /// meanwhile, its other end is another one.
  static func shutDown(_ descriptor: Int32, remote: String) {
    guard let now = Self.remote(descriptor), now.full == remote else { return }
    shutdown(descriptor, Int32(SHUT_RDWR))
  }
}
