import CZeroMQ
import Glibc
import WireProtocol

/// The libzmq that is loaded.
package enum ZeroMQLibrary {
  /// Version as (major, minor, patch).
  package static var version: (major: Int, minor: Int, patch: Int) {
    var major: Int32 = 0
    var minor: Int32 = 0
    var patch: Int32 = 0
    zmq_version(&major, &minor, &patch)
    return (Int(major), Int(minor), Int(patch))
  }

  /// Whether CURVE is built in.
  package static var hasCurve: Bool { zmq_has("curve") == 1 }

  /// Refuses versions with known holes: CVE-2019-13132 (fixed in 4.3.2), CVE-2020-15166 (4.3.3).
  package static func check() throws { try check(version: version) }

  static func check(version: (major: Int, minor: Int, patch: Int)) throws {
    guard version >= (4, 3, 3) else {
      throw TransportError(
        .libraryTooOld,
        "libzmq \(version.major).\(version.minor).\(version.patch) has known security holes; "
          + "install 4.3.3 or later (Debian: apt install libzmq5)")
    }
  }

  /// The text of libzmq's last error on this thread.
  package static func lastError() -> String { String(cString: zmq_strerror(zmq_errno())) }
}

/// A ZeroMQ context; ends when its last owner lets go.
///
/// Every socket holds its context strongly: ending a context before its sockets are closed would block for ever.
package final class ZeroMQContext: Sendable {
  // A context is thread-safe by libzmq's contract; the pointer never changes.
  package nonisolated(unsafe) let pointer: UnsafeMutableRawPointer

  /// - Parameter sockets: how many sockets it may hold at a time; nil for libzmq's own limit, 1,023.
  package init(sockets: Int32? = nil) throws {
    try ZeroMQLibrary.check()
    guard let pointer = zmq_ctx_new() else {
      throw TransportError(.system, "cannot make a ZeroMQ context: \(ZeroMQLibrary.lastError())")
    }
    if let sockets { zmq_ctx_set(pointer, ZMQ_MAX_SOCKETS, min(sockets, zmq_ctx_get(pointer, ZMQ_SOCKET_LIMIT))) }
    self.pointer = pointer
  }

  deinit {
    while zmq_ctx_term(pointer) != 0 && zmq_errno() == EINTR {}
  }
}

/// One ZeroMQ socket.
///
/// Not thread-safe: made, used and closed by its loop's thread only.
package final class ZeroMQSocket {
  package let pointer: UnsafeMutableRawPointer
  private let context: ZeroMQContext
  private let message: UnsafeMutablePointer<zmq_msg_t>

  package init(_ context: ZeroMQContext, type: Int32) throws {
    guard let pointer = zmq_socket(context.pointer, type) else {
      throw TransportError(.system, "cannot make a ZeroMQ socket: \(ZeroMQLibrary.lastError()); see ulimit -n")
    }
    self.pointer = pointer
    self.context = context
    message = .allocate(capacity: 1)
    message.initialize(to: zmq_msg_t())
    zmq_msg_init(message)
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
    zmq_close(pointer)
  }

  package func set(_ option: Int32, _ value: Int32) throws {
    var value = value
    try check(zmq_setsockopt(pointer, option, &value, MemoryLayout<Int32>.size), option)
  }

  package func set(_ option: Int32, _ value: Int64) throws {
    var value = value
    try check(zmq_setsockopt(pointer, option, &value, MemoryLayout<Int64>.size), option)
  }

  package func set(_ option: Int32, _ text: String) throws {
    try check(zmq_setsockopt(pointer, option, text, text.utf8.count), option)
  }

  package func set(_ option: Int32, bytes: [UInt8]) throws {
    try check(zmq_setsockopt(pointer, option, bytes, bytes.count), option)
  }

  private func check(_ status: Int32, _ option: Int32) throws {
    guard status == 0 else {
      throw TransportError(.system, "libzmq refused option \(option): \(ZeroMQLibrary.lastError())")
    }
  }

  /// A descriptor that is readable when the socket's state may have changed.
  ///
  /// It may stay silent about what was there before the last receive or send: receive until nothing is left.
  package func readinessDescriptor() throws -> Int32 {
    var descriptor: Int32 = -1
    var size = MemoryLayout<Int32>.size
    guard zmq_getsockopt(pointer, ZMQ_FD, &descriptor, &size) == 0 else {
      throw TransportError(.system, "a ZeroMQ socket has no descriptor: \(ZeroMQLibrary.lastError())")
    }
    return descriptor
  }

  /// The address that the socket is bound to.
  package var lastEndpoint: String {
    var buffer = [CChar](repeating: 0, count: 512)
    var size = buffer.count
    guard zmq_getsockopt(pointer, ZMQ_LAST_ENDPOINT, &buffer, &size) == 0 else { return "" }
    return CurveKey.string(buffer)
  }

  /// A received message: its frames, the user id that the ZAP handler gave to the connection, and its descriptor.
  package struct Received {
    package var frames: [[UInt8]]
    package var user: String?
    package var descriptor: Int32?
    /// Bytes of all frames but the first (the routing id, which the wire does not carry), as CURVE sends them.
    package var wireBytes = 0
  }

  /// Takes one message without waiting; `nil` where there is none.
  ///
  /// Frames beyond `frameLimit` are counted, not kept.
  package func receive(frameLimit: Int, wantsOrigin: Bool = false) -> Received? {
    var received = Received(frames: [], user: nil)
    repeat {
      let size = zmq_msg_recv(message, pointer, ZMQ_DONTWAIT)
      guard size >= 0 else { return received.frames.isEmpty ? nil : received }
      if !received.frames.isEmpty { received.wireBytes += WireFrames.wireBytes(ofFrame: Int(size)) }
      if received.frames.count < frameLimit {
        let bytes = UnsafeRawBufferPointer(start: zmq_msg_data(message), count: Int(size))
        received.frames.append([UInt8](bytes))
      } else if received.frames.count == frameLimit {
        received.frames.append([])
      }
      if wantsOrigin {
        if received.user == nil { received.user = zmq_msg_gets(message, "User-Id").map { String(cString: $0) } }
        let descriptor = zmq_msg_get(message, ZMQ_SRCFD)
        if descriptor >= 0 { received.descriptor = descriptor }
      }
    } while zmq_msg_more(message) == 1
    return received
  }

  /// Sends one message without waiting; false where it was not taken (no connection, full queue).
  package func send(_ frames: [[UInt8]]) -> Bool {
    for (index, frame) in frames.enumerated() {
      let flags = index + 1 < frames.count ? ZMQ_DONTWAIT | ZMQ_SNDMORE : ZMQ_DONTWAIT
      var status: Int32
      repeat {
        status = zmq_send(pointer, frame, frame.count, flags)
      } while status < 0 && zmq_errno() == EINTR
      if status < 0 { return false }
    }
    return true
  }

  /// An item for `zmq_poll`.
  func pollItem() -> zmq_pollitem_t {
    zmq_pollitem_t(socket: pointer, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)
  }
}
