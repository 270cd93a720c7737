import BayesianOptimization
import Foundation
import Synchronization

/// The one thread on which proposals are computed, one task after the other: a fit takes seconds, and the few threads of
/// Swift's tasks carry the heartbeats.
final class ProposalThread: Sendable {
  /// The answers to one task.
  typealias Answers = [(task: ProposalTask, outcome: ProposalOutcome)]

  private struct Inbox {
    var tasks: [ProposalTask] = []
    var isRunning = false
    var isStopped = false
  }

  /// What was computed, in order; ends with ``stop()``.
  let answers: AsyncStream<Answers>
  private let feed: AsyncStream<Answers>.Continuation
  private let sampler: any Sampler
  private let limit: Int
  private let inbox = Mutex(Inbox())
  private let arrival = DispatchSemaphore(value: 0)

  /// - Parameter limit: most proposals of one task.
  init(_ sampler: any Sampler, limit: Int) {
    self.sampler = sampler
    self.limit = limit
    (answers, feed) = AsyncStream.makeStream()
  }

  func propose(_ task: ProposalTask) {
    let mustStart = inbox.withLock { inbox in
      inbox.tasks.append(task)
      defer { inbox.isRunning = true }
      return !inbox.isRunning && !inbox.isStopped
    }
    arrival.signal()
    if mustStart { start() }
  }

  /// Nothing more is computed; what is being computed is dropped.
  func stop() {
    inbox.withLock { $0.isStopped = true }
    arrival.signal()
    feed.finish()
  }

  private func start() {
    let thread = Thread { [self] in
      while let task = next() {
        feed.yield(task.answered(by: sampler.proposals(task.request, count: min(task.wanted, limit))))
      }
    }
    thread.name = "sampler"
    thread.stackSize = 16 << 20
    thread.start()
  }

  private func next() -> ProposalTask? {
    while true {
      arrival.wait()
      let (task, isStopped) = inbox.withLock { inbox in
        (inbox.tasks.isEmpty || inbox.isStopped ? nil : inbox.tasks.removeFirst(), inbox.isStopped)
      }
      if isStopped { return nil }
      if let task { return task }
    }
  }
}
