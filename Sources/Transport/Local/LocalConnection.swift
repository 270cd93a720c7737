import Glibc
import WireProtocol

/// One client of a socket file: its descriptor, what it has said so far, and what is still to be sent to it.
///
/// Lives on the server's thread; closes its descriptor with its end.
final class LocalConnection {
  /// Messages and bytes that wait for a client that does not read; beyond them messages to it are dropped.
  static let waitingMessages = 1000
  static let waitingBytes = 4 << 20

  let descriptor: Int32
  var input: ZMTPInput
  var peer: Peer?
  /// Whether it is heard: not while its messages wait for their turn.
  var isPaused = false
  private var output: [[UInt8]] = []
  private var outputBytes = 0
  /// Bytes of the first waiting message that have gone.
  private var gone = 0

  init(_ descriptor: Int32, largestFrame: Int) {
    self.descriptor = descriptor
    input = ZMTPInput(largestFrame: largestFrame)
  }

  deinit { Glibc.close(descriptor) }

  var hasOutput: Bool { !output.isEmpty }

  enum Reading {
    case bytes([ZMTPInput.Output])
    case nothing
    case ended
  }

  /// Reads what is there, at most one buffer full.
  func read(_ buffer: UnsafeMutableRawBufferPointer) throws(ZMTPInput.Violation) -> Reading {
    let count = recv(descriptor, buffer.baseAddress, buffer.count, Int32(MSG_DONTWAIT))
    if count > 0 { return .bytes(try input.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))) }
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? .nothing : .ended
  }

  /// Queues bytes and sends what goes; false where too much waits already or the client is gone.
  func send(_ bytes: [UInt8]) -> Bool {
    guard output.count < Self.waitingMessages, outputBytes + bytes.count <= Self.waitingBytes else { return false }
    output.append(bytes)
    outputBytes += bytes.count
    return output.count > 1 || flush()
  }

  /// Sends what goes; false where the client is gone.
  func flush() -> Bool {
    var done = 0
    defer { output.removeFirst(done) }
    while done < output.count {
      let count = output[done][gone...].withUnsafeBytes {
        Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_DONTWAIT | MSG_NOSIGNAL))
      }
      guard count >= 0 else {
        if errno == EINTR { continue }
        return errno == EAGAIN
      }
      gone += count
      outputBytes -= count
      guard gone == output[done].count else { continue }
      gone = 0
      done += 1
    }
    return true
  }
}
