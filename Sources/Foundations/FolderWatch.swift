import Foundation
import Glibc

/// Waits until something changes in a folder, instead of looking again and again (inotify).
///
/// A change that another machine makes on a shared file system is not reported, and a system may have no watches left: no
/// wait takes longer than ``longestWait``, so that whoever waits looks for itself now and then.
package final class FolderWatch {
  /// The longest wait without a look, in seconds.
  package static let longestWait = 1.0

  private let descriptor: Int32

  /// Changes from now on count: watch first, then look.
  package init(_ folder: URL) {
    descriptor = inotify_init1(Int32(IN_NONBLOCK) | Int32(IN_CLOEXEC))
    let changes = UInt32(IN_CREATE | IN_MOVED_TO | IN_MODIFY | IN_DELETE)
    if descriptor >= 0 { inotify_add_watch(descriptor, folder.path, changes) }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Returns when something has changed since the last wait, or after `seconds` or ``longestWait``, whichever comes first.
  ///
  /// - Returns: whether a change was reported.
  @discardableResult
  package func wait(_ seconds: Double) -> Bool {
    let milliseconds = Int32(min(max(0, seconds), Self.longestWait) * 1000)
    guard descriptor >= 0 else {
      usleep(useconds_t(milliseconds) * 1000)
      return false
    }
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    _ = poll(&entry, 1, milliseconds)
    var events = [UInt8](repeating: 0, count: 4096)
    var hasChanged = false
    while read(descriptor, &events, events.count) > 0 { hasChanged = true }
    return hasChanged
  }
}
