import Study
import Transport

/// What stands between a coordinator and its store and sockets: nothing.
///
/// A program that tests faults puts its injectors there; it is no product, and nothing in the environment can do it.
package struct CoordinatorSeams: Sendable {
  /// Those of this task.
  @TaskLocal package static var current = CoordinatorSeams()

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
