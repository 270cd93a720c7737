import Foundation
import Synchronization

extension Process {
  /// Starts the process, one at a time in all tests.
  ///
  /// Foundation learns of a child's end by a socket that the child holds; a child that another test starts at the same
  /// moment can inherit it, and then the first never seems to end while the second lives.
  public func start() throws { try Self.starting.withLock { _ in try run() } }

  private static let starting = Mutex(())
}
