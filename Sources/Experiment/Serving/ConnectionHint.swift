import Foundation
import Synchronization
import Transport
import Worker

/// Says once what may be wrong when a worker does not reach its coordinator for a while.
///
/// CURVE answers an unknown key with silence, and so does an address where nobody listens: without a hint both look
/// like a worker that has nothing to do.
final class ConnectionHint: Sendable {
  private let isConnected = Mutex(false)

  /// - Parameter say: takes the hint, at most once.
  init(
    _ endpoint: Endpoint, key: String, after delay: Duration = .seconds(6), say: @escaping @Sendable (String) -> Void
  ) {
    let reason =
      if case .tcp = endpoint {
        "is the coordinator running there, is the port open, and is this worker's key admitted? "
          + "On the head node: engram keys authorize \(key)"
      } else {
        "is the coordinator running on this machine, as this user?"
      }
    Task { [weak self] in
      // Nobody cancels this task.
      try? await Task.sleep(for: delay)
      guard let self, !isConnected.withLock({ $0 }) else { return }
      say("no answer from \(endpoint) yet: \(reason) Trying on")
    }
  }

  /// Looks at what the worker says.
  func observe(_ note: WorkerNote) {
    if case .connected = note { isConnected.withLock { $0 = true } }
  }
}
