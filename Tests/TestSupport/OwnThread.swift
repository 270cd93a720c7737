import Foundation
import Synchronization
import Testing

/// Runs the body of a test on a thread of its own, as many of them at a time as there are cores.
///
/// Swift's pool has as many threads as the machine has cores. A test that computes for seconds, sleeps or waits for a
/// process holds one of them, and everything else that is asynchronous (heartbeats, streams, other tests) waits for the
/// rest. With this trait the pool stays free.
public struct OwnThreadTrait: TestTrait, SuiteTrait, TestScoping {
  public var isRecursive: Bool { true }
  fileprivate static let key = "engram.test"

  /// Name of the test whose thread this is; nil on others.
  public static var owner: String? { Thread.current.threadDictionary[key] as? String }

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    await Turnstile.cores.enter()
    defer { Turnstile.cores.leave() }
    let executor = ThreadExecutor(name: test.name)
    defer { executor.stop() }
    try await withTaskExecutorPreference(executor) { try await function() }
  }
}

extension Trait where Self == OwnThreadTrait {
  /// The body runs on a thread of its own.
  public static var ownThread: Self { Self() }
}

/// Lets so many in at a time; the others wait without holding a thread.
private final class Turnstile: Sendable {
  static let cores = Turnstile(max(2, ProcessInfo.processInfo.activeProcessorCount))

  private struct State: Sendable {
    var free: Int
    var waiting: [CheckedContinuation<Void, Never>] = []
  }

  private let state: Mutex<State>

  init(_ count: Int) { state = Mutex(State(free: count)) }

  func enter() async {
    await withCheckedContinuation { continuation in
      let mayEnter = state.withLock { state in
        if state.free > 0 {
          state.free -= 1
          return true
        }
        state.waiting.append(continuation)
        return false
      }
      if mayEnter { continuation.resume() }
    }
  }

  func leave() {
    let next = state.withLock { state in
      if state.waiting.isEmpty {
        state.free += 1
        return nil as CheckedContinuation<Void, Never>?
      }
      return state.waiting.removeFirst()
    }
    next?.resume()
  }
}

/// One thread that runs the jobs of the tasks that prefer it.
private final class ThreadExecutor: TaskExecutor {
  private struct State: Sendable {
    var jobs: [UnownedJob] = []
    var isOver = false
  }

  private let state = Mutex(State())
  private let signal = DispatchSemaphore(value: 0)

  init(name: String) {
    // The thread holds the executor until `stop`: jobs that are still queued then are run first.
    let thread = Thread { [self] in
      Thread.current.threadDictionary[OwnThreadTrait.key] = name
      while true {
        signal.wait()
        let (job, isOver) = state.withLock { state in
          (state.jobs.isEmpty ? nil : state.jobs.removeFirst(), state.isOver)
        }
        if let job {
          job.runSynchronously(on: asUnownedTaskExecutor())
        } else if isOver {
          return
        }
      }
    }
    thread.stackSize = 8 << 20
    thread.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    state.withLock { $0.jobs.append(job) }
    signal.signal()
  }

  func stop() {
    state.withLock { $0.isOver = true }
    signal.signal()
  }
}
