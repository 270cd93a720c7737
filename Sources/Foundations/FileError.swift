import Foundation

/// A file operation that failed: what was tried, with which file, and the system's reason.
package struct FileError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What could not be done, for example "cannot write".
  package var action: String
  /// The file or folder.
  package var path: String
  /// The system's error number; 0 where the reason is not the system's.
  package var errorNumber: Int32
  /// Why.
  package var reason: String

  /// An error of the system, by default the last one of this thread.
  package init(_ action: String, _ path: String, errorNumber: Int32 = errno) {
    self.action = action
    self.path = path
    self.errorNumber = errorNumber
    reason = String(cString: strerror(errorNumber))
  }

  /// An error with a reason of its own.
  package init(_ action: String, _ path: String, reason: String) {
    self.action = action
    self.path = path
    errorNumber = 0
    self.reason = reason
  }

  /// Whether there is no room: the disk is full, or a quota or file size limit is reached.
  package var isFull: Bool { [ENOSPC, EDQUOT, EFBIG].contains(errorNumber) }

  /// Whether there is no such file.
  package var isMissing: Bool { errorNumber == ENOENT || errorNumber == ENOTDIR }

  package var description: String {
    let remedy = isFull ? ". Free some space and try again" : ""
    return "\(action) \(path): \(reason)\(remedy)"
  }
}
