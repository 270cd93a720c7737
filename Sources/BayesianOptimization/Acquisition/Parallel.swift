import Dispatch
import Synchronization

/// Work on several threads; results do not depend on their number.
enum Parallel {
  /// The results of `body`, in index order.
  static func map<T: Sendable>(_ count: Int, threads: Int, _ body: @Sendable (Int) -> T) -> [T] {
    let slots = UnsafeMutablePointer<T?>.allocate(capacity: count)
    slots.initialize(repeating: nil, count: count)
    defer {
      slots.deinitialize(count: count)
      slots.deallocate()
    }
    // Every index is given out once, and all writes end before `forEachIndex` returns.
    nonisolated(unsafe) let shared = slots
    forEachIndex(count, threads: threads) { shared[$0] = body($0) }
    return (0..<count).compactMap { slots[$0] }
  }

  /// Applies `body` to every item; returns when all are done.
  static func forEach<T: Sendable>(_ items: [T], threads: Int, _ body: @Sendable (T) -> Void) {
    forEachIndex(items.count, threads: threads) { body(items[$0]) }
  }

  /// Indices are given out as threads become free: what they take differs.
  private static func forEachIndex(_ count: Int, threads: Int, _ body: @Sendable (Int) -> Void) {
    let workers = min(threads, count)
    guard workers > 1 else { return (0..<count).forEach(body) }
    let next = Mutex(0)
    DispatchQueue.concurrentPerform(iterations: workers) { _ in
      while true {
        let index = next.withLock { value in
          defer { value += 1 }
          return value
        }
        guard index < count else { return }
        body(index)
      }
    }
  }
}
