import Foundation
import Glibc

/// Ends this process when its parent is gone, however the parent died.
///
/// Looks at the parent's process number from a thread of its own. (Linux's parent-death signal is tied to the *thread*
/// that started the child; threads of Swift's pools come and go, and the child would be killed without reason.)
package enum ParentWatch {
  /// Variable by which a parent tells its number: `getppid` lies when the parent dies before the child can ask.
  package static let variable = "ENGRAM_PARENT"

  /// The parent by that variable, else by `getppid`.
  package static var expectedParent: pid_t {
    ProcessInfo.processInfo.environment[variable].flatMap { pid_t($0) } ?? getppid()
  }

  /// Starts the watch.
  ///
  /// - Parameters:
  ///   - parent: the expected parent; where it is gone already, `onOrphaned` runs at once.
  ///   - interval: how often to look, in seconds. Default 0.25.
  ///   - onOrphaned: what to do; the process should end soon after.
  package static func start(
    parent: pid_t = expectedParent, interval: Double = 0.25, onOrphaned: @escaping @Sendable () -> Void
  ) {
    let thread = Thread {
      while getppid() == parent { usleep(useconds_t(interval * 1e6)) }
      onOrphaned()
    }
    thread.name = "engram.parent"
    thread.stackSize = 512 * 1024
    thread.start()
  }
}
