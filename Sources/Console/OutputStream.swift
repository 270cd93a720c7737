import Foundation
import Synchronization

/// A descriptor that is written to until it fails; later writes are dropped.
package final class OutputStream: Sendable {
  private let descriptor: Int32
  private let error = Mutex<Int32?>(nil)

  package init(_ descriptor: Int32) { self.descriptor = descriptor }

  /// The error number of the write that failed; nil while all went well.
  package var failure: Int32? { error.withLock { $0 } }

  /// Writes everything, waiting for a reader that is slow; returns the error number when it cannot.
  @discardableResult
  package func write(_ bytes: ArraySlice<UInt8>) -> Int32? {
    error.withLock { error in
      if error != nil { return error }
      var bytes = bytes
      while !bytes.isEmpty {
        let written = bytes.withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
        if written >= 0 {
          bytes = bytes.dropFirst(written)
          continue
        }
        switch errno {
        case EINTR: continue
        case EAGAIN: waitForRoom()
        default:
          error = errno
          return error
        }
      }
      return nil
    }
  }

  /// Sleeps until a non-blocking descriptor takes something again; an error shows at the next write.
  private func waitForRoom() {
    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    _ = poll(&request, 1, -1)
  }
}
