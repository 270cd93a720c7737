import Foundation

/// The same for tests that are tasks: waiting happens on a thread of its own, so that the few threads of Swift's tasks
/// stay free for tests that look at the clock.
extension EngramProcess {
  /// Runs a command to its end.
  static func outcome(
    _ arguments: [String], input: String? = nil, environment: [String: String] = [:], folder: URL? = nil
  ) async throws -> Outcome {
    let result: Waited<Result<Outcome, any Error>> = await onOwnThread {
      Result { try run(arguments, input: input, environment: environment, folder: folder) }
    }
    return try result.value.get()
  }

  /// Waits for a started command.
  static func outcome(of process: Process) async -> Outcome {
    await onOwnThread { finish(process) }.value
  }

  /// Looks every tenth of a second whether `condition` holds.
  static func waitUntil(_ seconds: Double = 30, _ condition: () async throws -> Bool) async rethrows -> Bool {
    let limit = Date().addingTimeInterval(seconds)
    while Date() < limit {
      if try await condition() { return true }
      try? await Task.sleep(for: .milliseconds(100))
    }
    return try await condition()
  }

  /// Handed over once, from the thread that made it to the task that waits for it.
  private struct Waited<Value>: @unchecked Sendable {
    var value: Value
  }

  private static func onOwnThread<Value>(_ work: @escaping @Sendable () -> Value) async -> Waited<Value> {
    await withCheckedContinuation { continuation in
      Thread { continuation.resume(returning: Waited(value: work())) }.start()
    }
  }
}
