import Foundation
import Glibc

/// The trainer's log file: readable by its owner only, and bounded.
///
/// When it is half as large as allowed, it becomes `NAME.1` in place of the former one, and a new one begins.
final class TrainerLog {
  private let path: String
  private let limit: Int
  private var descriptor: Int32 = -1
  private var size = 0
  private var isTroubled = false

  /// - Parameter bytes: most bytes of both files together.
  init(_ url: URL, bytes: Int) {
    path = url.path
    limit = max(1, bytes / 2)
    open()
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  private func open() {
    descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
    var information = stat()
    size = descriptor >= 0 && fstat(descriptor, &information) == 0 ? Int(information.st_size) : 0
  }

  /// Appends a line.
  ///
  /// - Returns: what is wrong, once until it is over; lines are lost meanwhile.
  func write(_ line: String) -> String? {
    let bytes = Array((line + "\n").utf8)
    if size + bytes.count > limit, size > 0 { rotate() }
    if descriptor < 0 { open() }
    let written = descriptor < 0 ? -1 : Glibc.write(descriptor, bytes, bytes.count)
    if written > 0 { size += written }
    guard written == bytes.count else {
      defer { isTroubled = true }
      return isTroubled
        ? nil : "the trainer's log \(path) cannot be written (\(String(cString: strerror(errno)))); lines are lost"
    }
    isTroubled = false
    return nil
  }

  private func rotate() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
    // Where it cannot be renamed (the folder is gone, say), it begins anew all the same: it must not grow for ever.
    if rename(path, path + ".1") != 0 { unlink(path) }
    open()
  }
}
