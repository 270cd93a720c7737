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

/// Memory of this process and of the machine.
enum Memory {
  private typealias Trim = @convention(c) (Int) -> Int32

  /// Gives free pages back to the system (glibc's `malloc_trim`, which Swift's module of glibc does not show).
  static func trim() {
    guard let symbol = dlsym(nil, "malloc_trim") else { return }
    _ = unsafeBitCast(symbol, to: Trim.self)(0)
  }

  /// Resident memory of this process in bytes; 0 where it cannot be read.
  static func resident() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8) else { return 0 }
    let pages = text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
    return pages * sysconf(Int32(_SC_PAGESIZE))
  }

  /// How many processes the kernel has killed for lack of memory, on this machine and in this control group.
  static func outOfMemoryKills() -> Int {
    func count(_ path: String, _ key: String) -> Int {
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
      for line in text.split(separator: "\n") where line.hasPrefix(key + " ") {
        return Int(line.dropFirst(key.count + 1)) ?? 0
      }
      return 0
    }
    let group = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8))?
      .split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3)
    let events = "/sys/fs/cgroup\(group.map { $0 == "/" ? "" : String($0) } ?? "")/memory.events"
    return count("/proc/vmstat", "oom_kill") + count(events, "oom_kill")
  }
}
