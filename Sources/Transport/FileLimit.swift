import CZeroMQ
import Foundation
import Glibc

/// The number of descriptors that this process may have open: one per connection, and some.
package enum FileLimit {
  /// Raises the soft limit towards `wanted`, as far as the hard limit allows; never lowers it.
  ///
  /// Processes that this one starts inherit it.
  ///
  /// - Returns: the limit in force.
  @discardableResult
  package static func raise(to wanted: Int) -> Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    let target = min(rlim_t(wanted), limit.rlim_max)
    guard target > limit.rlim_cur else { return Int(clamping: limit.rlim_cur) }
    limit.rlim_cur = target
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 }
    return Int(clamping: limit.rlim_cur)
  }
}

extension FileLimit {
  /// Descriptors that this process has open now.
  static var open: Int {
    // Without /proc a cautious guess: what a coordinator has open at its start.
    let names = try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
    return names?.count ?? 64
  }

  /// How many connections a server may take.
  ///
  /// - Throws: ``TransportError`` `system` where there is no room for a few.
  static func connections(_ limits: ServerLimits) throws -> Int {
    let limit = raise(to: 0)
    let count = limits.maximumConnections(openNow: open, limit: limit)
    guard count >= ServerLimits.fewestConnections else {
      throw TransportError(
        .system,
        "this process may have \(limit) files open, which leaves no room for workers' connections; raise it with "
          + "ulimit -n (1024 is enough for a few hundred workers)")
    }
    return count
  }
}
