import Synchronization

/// A bounded first-in-first-out box between a thread that delivers and one task that reads.
///
/// The box never drops anything: it tells the producer when it is full, and the producer stops taking from the network
/// until `onRoom` is called.
package final class Inbox<Element: Sendable>: AsyncSequence, Sendable {
  private struct State {
    var elements: [(element: Element, cost: Int)] = []
    var head = 0
    var cost = 0
    var waiter: CheckedContinuation<Element?, Never>?
    var isFinished = false
    var wasFull = false
  }

  private let state = Mutex(State())
  private let capacity: Int
  private let onRoom: @Sendable () -> Void

  /// - Parameters:
  ///   - capacity: sum of the costs (bytes) at which the box is full.
  ///   - onRoom: called, from the reader, when a full box has become half empty.
  init(capacity: Int = 16 * 1024 * 1024, onRoom: @escaping @Sendable () -> Void = {}) {
    self.capacity = capacity
    self.onRoom = onRoom
  }

  /// Adds an element; returns whether there is room for more.
  @discardableResult
  func put(_ element: Element, cost: Int) -> Bool {
    let (waiter, hasRoom) = state.withLock { state -> (CheckedContinuation<Element?, Never>?, Bool) in
      if state.isFinished { return (nil, true) }
      if let waiter = state.waiter {
        state.waiter = nil
        return (waiter, true)
      }
      // Small messages have a price of their own, so that empty frames cannot fill the memory either.
      state.elements.append((element, cost + 256))
      state.cost += cost + 256
      state.wasFull = state.cost >= capacity
      return (nil, !state.wasFull)
    }
    waiter?.resume(returning: element)
    return hasRoom
  }

  /// Whether the producer has to wait.
  var isFull: Bool { state.withLock { $0.wasFull } }

  /// Ends the sequence after what is in the box.
  func finish() {
    let waiter = state.withLock { state -> CheckedContinuation<Element?, Never>? in
      state.isFinished = true
      defer { state.waiter = nil }
      return state.waiter
    }
    waiter?.resume(returning: nil)
  }

  /// The next element; `nil` after the end, or when the reading task is cancelled.
  package func next() async -> Element? {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        if Task.isCancelled {
          continuation.resume(returning: nil)
          return
        }
        take(continuation)
      }
    } onCancel: {
      let waiter = state.withLock { state -> CheckedContinuation<Element?, Never>? in
        defer { state.waiter = nil }
        return state.waiter
      }
      waiter?.resume(returning: nil)
    }
  }

  /// The next element and what stands behind it, at most `limit` together; `nil` where ``next()`` gives `nil`.
  package func nextBatch(limit: Int) async -> [Element]? {
    guard let first = await next() else { return nil }
    var batch = [first]
    let hasRoom = state.withLock { state in
      while batch.count < limit, let element = Self.removeFirst(&state) { batch.append(element) }
      return noteRoom(&state)
    }
    if hasRoom { onRoom() }
    return batch
  }

  private static func removeFirst(_ state: inout State) -> Element? {
    guard state.head < state.elements.count else { return nil }
    let (element, cost) = state.elements[state.head]
    state.head += 1
    state.cost -= cost
    if state.head > 64, state.head * 2 > state.elements.count {
      state.elements.removeFirst(state.head)
      state.head = 0
    }
    return element
  }

  /// Whether a full box has become half empty.
  private func noteRoom(_ state: inout State) -> Bool {
    let hasRoom = state.wasFull && state.cost < capacity / 2
    if hasRoom { state.wasFull = false }
    return hasRoom
  }

  /// What somebody who asks for the next element gets.
  private enum Delivery {
    case element(Element, hasRoom: Bool)
    case end
    case wait
  }

  private func take(_ continuation: CheckedContinuation<Element?, Never>) {
    let delivery = state.withLock { state -> Delivery in
      if let element = Self.removeFirst(&state) { return .element(element, hasRoom: noteRoom(&state)) }
      if state.isFinished || state.waiter != nil { return .end }
      state.waiter = continuation
      return .wait
    }
    switch delivery {
    case .element(let element, let hasRoom):
      if hasRoom { onRoom() }
      continuation.resume(returning: element)
    case .end: continuation.resume(returning: nil)
    case .wait: break
    }
  }

  package struct Iterator: AsyncIteratorProtocol {
    let inbox: Inbox
    package func next() async -> Element? { await inbox.next() }
  }

  package func makeAsyncIterator() -> Iterator { Iterator(inbox: self) }
}
