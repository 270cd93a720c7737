import Foundation
import Glibc

/// Keeps a child from inheriting descriptors that were opened without close-on-exec, by us or by a library.
enum DescriptorClosing {
  private typealias CloseFrom = @convention(c) (UnsafeMutablePointer<posix_spawn_file_actions_t>, Int32) -> Int32

  /// glibc 2.34 and later; its header shows it only to GNU sources, so it is looked up by name.
  private static let closeFrom: CloseFrom? = dlsym(nil, "posix_spawn_file_actions_addclosefrom_np")
    .map { unsafeBitCast($0, to: CloseFrom.self) }

  /// Has the child close every descriptor from `first` on, before its program starts.
  ///
  /// Where the C library cannot do that, those that are open now are closed one by one.
  static func closeAll(from first: Int32, in actions: inout posix_spawn_file_actions_t) {
    if let closeFrom {
      _ = closeFrom(&actions, first)
      return
    }
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    for descriptor in open.compactMap({ Int32($0) }) where descriptor >= first && fcntl(descriptor, F_GETFD) >= 0 {
      posix_spawn_file_actions_addclose(&actions, descriptor)
    }
  }
}
