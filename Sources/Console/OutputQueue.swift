import Foundation
import Synchronization

/// Lines on their way to a reader that may not take them: bounded, written by a thread of its own.
///
/// Adding never waits. What finds no room is dropped and counted, and the count is written as soon as there is room.
package final class OutputQueue: Sendable {
  private struct State {
    var waiting: [[UInt8]] = []
    var bytes = 0
    var dropped = 0
    var isWriting = false
    /// The reader is gone for good.
    var isClosed = false
  }

  /// Most bytes that wait: 1 MiB, some 10,000 lines.
  package static let capacity = 1 << 20

  private let state = Mutex(State())
  private let capacity: Int
  private let signal = DispatchSemaphore(value: 0)

  /// - Parameters:
  ///   - capacity: bytes that wait at most.
  ///   - write: hands a text over and may block; false when the reader is gone for good.
  package init(capacity: Int = OutputQueue.capacity, write: @escaping @Sendable ([UInt8]) -> Bool) {
    self.capacity = capacity
    let thread = Thread { [weak self] in
      while let next = self?.next() {
        if !write(next) { break }
        self?.wrote()
      }
      self?.close()
    }
    thread.name = "engram.output"
    thread.start()
  }

  /// Lines that found no room and are not reported yet.
  package var dropped: Int { state.withLock { $0.dropped } }

  package func add(_ text: [UInt8]) {
    state.withLock { state in
      if state.isClosed { return }
      guard state.bytes + text.count <= capacity else {
        state.dropped += 1
        return
      }
      state.bytes += text.count
      state.waiting.append(text)
    }
    signal.signal()
  }

  /// Waits until everything is written, at most `limit`; false when something is left.
  @discardableResult
  package func flush(within limit: Duration) -> Bool {
    let end = ContinuousClock.now + limit
    while state.withLock({ !$0.waiting.isEmpty || $0.isWriting }) {
      guard ContinuousClock.now < end else { return false }
      usleep(5_000)
    }
    return true
  }

  /// Everything that waits, as one text; waits for it.
  private func next() -> [UInt8] {
    while true {
      signal.wait()
      let text = state.withLock { state -> [UInt8] in
        var text = Array(state.waiting.joined())
        if state.dropped > 0, !text.isEmpty {
          text += Array("engram: \(state.dropped) lines were dropped: nobody took them\n".utf8)
          state.dropped = 0
        }
        state.waiting.removeAll(keepingCapacity: true)
        state.isWriting = !text.isEmpty
        return text
      }
      if !text.isEmpty { return text }
    }
  }

  private func wrote() {
    state.withLock { state in
      state.isWriting = false
      state.bytes = state.waiting.reduce(0) { $0 + $1.count }
    }
  }

  /// The reader is gone: nothing waits any more, and nothing is counted as waiting.
  private func close() {
    state.withLock { state in
      state.isWriting = false
      state.isClosed = true
      state.waiting = []
    }
  }
}
