import Foundation
import Synchronization

/// A relay in front of a port that writes down what clients say, for saying it again.
final class Wiretap: Sendable {
  let port: UInt16
  private let listener: Int32
  private let target: UInt16
  private let heard = Mutex<[UInt8]>([])

  init(to target: UInt16) throws {
    self.target = target
    listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    port = try LocalSocket.bind(listener)
    guard listen(listener, 4) == 0 else { throw FaultTestError("cannot listen") }
    let thread = Thread { [self] in
      while true {
        let client = accept(listener, nil, nil)
        guard client >= 0 else { return }
        relay(client)
      }
    }
    thread.start()
  }

  /// What clients have said so far.
  var recording: [UInt8] { heard.withLock { $0 } }

  func stop() { shutdown(listener, Int32(SHUT_RDWR)) }

  /// Passes bytes on in both directions until one side ends.
  private func relay(_ client: Int32) {
    defer { close(client) }
    guard let server = LocalSocket.connect(to: target) else { return }
    defer { close(server) }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      var items = [
        pollfd(fd: client, events: Int16(POLLIN), revents: 0), pollfd(fd: server, events: Int16(POLLIN), revents: 0),
      ]
      guard poll(&items, 2, 5_000) > 0 else { return }
      for (index, item) in items.enumerated() where item.revents != 0 {
        let count = recv(item.fd, &buffer, buffer.count, 0)
        guard count > 0 else { return }
        if index == 0 { heard.withLock { $0 += buffer.prefix(count) } }
        guard send(index == 0 ? server : client, buffer, count, Int32(MSG_NOSIGNAL)) == count else { return }
      }
    }
  }
}

/// TCP on this machine, without ZeroMQ.
enum LocalSocket {
  private static func address(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }

  /// Binds to a free port and returns it.
  static func bind(_ descriptor: Int32) throws -> UInt16 {
    var address = address(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.bind(descriptor, $0, length) == 0 ? getsockname(descriptor, $0, &length) : -1
      }
    }
    guard descriptor >= 0, status == 0 else { throw FaultTestError("no free port") }
    return UInt16(bigEndian: address.sin_port)
  }

  /// A connection, or nil where nobody listens.
  static func connect(to port: UInt16) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var address = address(port: port)
    let isConnected = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
    if isConnected { return descriptor }
    close(descriptor)
    return nil
  }

  /// Connects, sends and hangs up after `linger` seconds; true if it all worked.
  static func send(_ bytes: [UInt8], to port: UInt16, linger: Double = 0) -> Bool {
    guard let descriptor = connect(to: port) else { return false }
    defer { close(descriptor) }
    let isSent =
      bytes.isEmpty || Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
    if linger > 0 { usleep(useconds_t(linger * 1e6)) }
    return isSent
  }
}
