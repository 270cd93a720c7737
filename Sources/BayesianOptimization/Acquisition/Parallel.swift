import Dispatch

/// Maps indices on several threads; the result is in index order and does not depend on their number.
enum Parallel {
  static func map<T: Sendable>(_ count: Int, threads: Int, _ body: @Sendable (Int) -> T) -> [T] {
    guard threads > 1, count > 1 else { return (0..<count).map(body) }
    let slots = UnsafeMutablePointer<T?>.allocate(capacity: count)
    slots.initialize(repeating: nil, count: count)
    defer {
      slots.deinitialize(count: count)
      slots.deallocate()
    }
    // Every worker writes only its own slots and all writes end before concurrentPerform returns.
    nonisolated(unsafe) let shared = slots
    let workers = min(threads, count)
    DispatchQueue.concurrentPerform(iterations: workers) { worker in
      var index = worker
      while index < count {
        shared[index] = body(index)
        index += workers
      }
    }
    return (0..<count).compactMap { slots[$0] }
  }
}
