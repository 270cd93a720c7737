import CZeroMQ
import Glibc

/// The number of descriptors that this process may have open: one per connection, and some.
public enum FileLimit {
  /// Raises the soft limit towards `wanted`, as far as the hard limit allows; never lowers it.
  ///
  /// Processes that this one starts inherit it.
  ///
  /// - Returns: the limit in force.
  @discardableResult
  public static func raise(to wanted: Int) -> Int {
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
