import Foundation
import Glibc

/// Memory of this process as Linux counts it, in bytes; 0 elsewhere.
package enum ProcessMemory {
  /// Resident now: all pages; of them the process's own, and those of mapped files.
  package static var resident: (all: Int, own: Int, files: Int) { (bytes("VmRSS"), bytes("RssAnon"), bytes("RssFile")) }
  /// Most that was ever resident; pages of mapped files count.
  package static var peak: Int { bytes("VmHWM") }

  private static func bytes(_ name: String) -> Int { field(name) * 1024 }

  /// A number of `/proc/self/status`; 0 where there is none.
  package static func field(_ name: String) -> Int {
    // Without the file every figure is 0, which nobody takes for a memory.
    let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix("\(name):") }
    // `VmRSS:<tab>   37228 kB`; a large number leaves no space between tab and digits.
    return Int(line?.filter { $0.isASCII && $0.isNumber } ?? "") ?? 0
  }

  private typealias Trim = @convention(c) (Int) -> Int32

  /// Gives free pages back to the system (glibc's `malloc_trim`, which Swift's module of glibc does not show).
  package static func trim() {
    guard let symbol = dlsym(nil, "malloc_trim") else { return }
    _ = unsafeBitCast(symbol, to: Trim.self)(0)
  }

  /// How many processes the kernel has killed for lack of memory, on this machine and in this control group.
  package static func outOfMemoryKills() -> Int {
    func count(_ path: String, _ key: String) -> Int {
      // Neither file is there on every system; what is not there counts nothing.
      guard let text = try? String(contentsOfFile: path, encoding: .utf8) else { return 0 }
      for line in text.split(separator: "\n") where line.hasPrefix(key + " ") {
        return Int(line.dropFirst(key.count + 1)) ?? 0
      }
      return 0
    }
    // Without control groups there is no such file.
    let group = (try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8))?
      .split(separator: "\n").first { $0.hasPrefix("0::") }?.dropFirst(3)
    let events = "/sys/fs/cgroup\(group.map { $0 == "/" ? "" : String($0) } ?? "")/memory.events"
    return count("/proc/vmstat", "oom_kill") + count(events, "oom_kill")
  }
}
