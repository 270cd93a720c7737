import Foundation
import Synchronization
import Testing

/// Ends a test that stands still.
///
/// Past `limit` the test fails. A body that never ends (a thread that waits for a condition, a continuation that nobody
/// resumes) would still hold the run: past `limit` and `grace` the process is aborted with the test's name, so that a run
/// ends in any case and says at which test.
public struct TimeBoundTrait: TestTrait, SuiteTrait, TestScoping {
  public var isRecursive: Bool { true }
  let limit: Duration
  let grace: Duration

  public func provideScope(
    for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
  ) async throws {
    // As the program does: a write to a child that is gone is an error, not the end of all tests.
    signal(SIGPIPE, SIG_IGN)
    let watch = StandstillWatch.shared.begin(
      "\(test.name) (\(test.sourceLocation.fileID):\(test.sourceLocation.line))", limit: limit + grace)
    defer { StandstillWatch.shared.end(watch) }
    let limit = self.limit
    // A task of its own, but with this test's local values: the issue belongs to the test.
    let alarm = Task {
      do { try await Task.sleep(for: limit) } catch { return }
      Issue.record("\(test.name) stands still: it has not ended after \(limit)")
    }
    defer { alarm.cancel() }
    try await function()
  }
}

extension Trait where Self == TimeBoundTrait {
  /// Ten minutes in the short form, two hours in the full form of the fault tests.
  ///
  /// The longest test of the short form takes about a minute on two quiet cores.
  public static var bounded: Self {
    let isFull = ProcessInfo.processInfo.environment["ENGRAM_FAULTS"] == "full"
    return bounded(isFull ? .seconds(7200) : .seconds(600))
  }

  /// The test fails after `limit`; the process is aborted `grace` later if it still has not ended.
  public static func bounded(_ limit: Duration, grace: Duration = .seconds(60)) -> Self {
    Self(limit: limit, grace: grace)
  }
}

/// One thread that knows when each running test must have ended.
private final class StandstillWatch: Sendable {
  static let shared = StandstillWatch()

  private struct State: Sendable {
    var running: [Int: (name: String, deadline: ContinuousClock.Instant)] = [:]
    var next = 0
    var isWatching = false
  }

  private let state = Mutex(State())

  func begin(_ name: String, limit: Duration) -> Int {
    let (number, mustStart) = state.withLock { state in
      state.next += 1
      state.running[state.next] = (name, .now + limit)
      defer { state.isWatching = true }
      return (state.next, !state.isWatching)
    }
    if mustStart { Thread.detachNewThread { self.watch() } }
    return number
  }

  func end(_ number: Int) {
    state.withLock { state in _ = state.running.removeValue(forKey: number) }
  }

  private func watch() {
    while true {
      Thread.sleep(forTimeInterval: 1)
      let now = ContinuousClock.now
      let overdue = state.withLock { state in state.running.values.filter { $0.deadline < now }.map(\.name) }
      guard !overdue.isEmpty else { continue }
      let text = "\nengram tests: stood still, the run is ended: \(overdue.joined(separator: ", "))\n"
      FileHandle.standardError.write(Data(text.utf8))
      abort()
    }
  }
}
