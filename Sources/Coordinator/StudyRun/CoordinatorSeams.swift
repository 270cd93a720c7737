import Study
import Synchronization
import Transport

/// What stands between a coordinator and its store and sockets: nothing.
///
/// A program that tests faults installs its injectors; it is no product, and nothing in the environment can do it.
package struct CoordinatorSeams: Sendable {
  private static let installed = Mutex(CoordinatorSeams())

  /// Those of this program.
  package static var current: CoordinatorSeams { installed.withLock { $0 } }

  /// Puts injectors into this program, before it starts anything.
  package static func install(_ seams: CoordinatorSeams) { installed.withLock { $0 = seams } }

  package var store: @Sendable (any StudyStore) -> any StudyStore
  package var transport: @Sendable (any ServerTransport) -> any ServerTransport

  package init(
    store: @escaping @Sendable (any StudyStore) -> any StudyStore = { $0 },
    transport: @escaping @Sendable (any ServerTransport) -> any ServerTransport = { $0 }
  ) {
    self.store = store
    self.transport = transport
  }
}
