import Foundation
import Glibc
import Study

/// The right to be the only coordinator of a study: an advisory lock that the kernel releases with the process.
final class StudyLock: Sendable {
  private let descriptor: Int32

  /// Takes the lock or throws `locked` after `patience` seconds.
  init(_ folder: StudyFolder, patience: Double = 1) throws(StudyError) {
    let path = folder.lock.path
    // Who may read the file may lock it, and keep every coordinator out.
    let descriptor = Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard descriptor >= 0 else {
      throw StudyError(
        .permission,
        "\(path) cannot be opened for writing: \(String(cString: strerror(errno))); check the folder's owner")
    }
    fchmod(descriptor, 0o600)
    let tries = max(1, Int(patience / 0.05))
    for attempt in 1...tries {
      if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { break }
      if attempt == tries {
        let owner = Self.owner(descriptor)
        close(descriptor)
        throw StudyError(
          .locked,
          "the study in \(folder.url.path) is being run by another coordinator\(owner); "
            + "stop that one first, or look on with `engram study show`")
      }
      // `flock` knows no time limit, and nothing tells when a lock becomes free.
      usleep(50_000)
    }
    self.descriptor = descriptor
    let text = "process \(getpid()) on \(ProcessInfo.processInfo.hostName)\n"
    ftruncate(descriptor, 0)
    _ = text.withCString { pwrite(descriptor, $0, strlen($0), 0) }
  }

  private static func owner(_ descriptor: Int32) -> String {
    var buffer = [UInt8](repeating: 0, count: 200)
    let count = pread(descriptor, &buffer, buffer.count, 0)
    guard count > 1 else { return "" }
    let text = String(decoding: buffer.prefix(count), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return " (\(text))"
  }

  deinit { close(descriptor) }
}
