import Foundation

/// What is wrong with a file or folder, in words, from the errors of Foundation and the system.
///
/// Foundation's own texts ("The operation could not be completed. (NSCocoaErrorDomain error 640.)") name neither reason nor
/// remedy.
package enum FileProblem {
  /// The system's error number inside an error; nil where there is none.
  package static func systemCode(_ error: any Error) -> Int32? {
    if let error = error as? POSIXError { return error.code.rawValue }
    guard let cocoa = error as? CocoaError else { return nil }
    if let inner = cocoa.underlying as? POSIXError { return inner.code.rawValue }
    switch cocoa.code {
    case .fileNoSuchFile, .fileReadNoSuchFile: return ENOENT
    case .fileWriteOutOfSpace: return ENOSPC
    case .fileWriteNoPermission, .fileReadNoPermission: return EACCES
    case .fileWriteVolumeReadOnly: return EROFS
    case .fileWriteFileExists: return EEXIST
    default: return nil
    }
  }

  /// The reason in words: the system's, where its number is known.
  package static func reason(_ error: any Error) -> String {
    guard let code = systemCode(error) else {
      return (error as? CocoaError).map { "\($0.localizedDescription) (error \($0.code.rawValue))" } ?? "\(error)"
    }
    return reason(code)
  }

  /// The system's words for an error number.
  package static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }

  /// What can be done about an error number when something had to be written.
  package static func remedy(_ code: Int32?) -> String {
    switch code {
    case ENOSPC?, EDQUOT?: "free some space there"
    case EACCES?, EPERM?: "check the folder's owner and mode"
    case EROFS?: "the file system is mounted read-only; choose another folder"
    case ENOTDIR?, EEXIST?: "a file stands where a folder is needed; move it away"
    case ENOENT?: "check that the folder exists"
    default: "check the disk and the folder's owner and mode"
    }
  }

  /// Whether an error number speaks of the disk or folder and not of what was to be written.
  package static func isStorage(_ code: Int32) -> Bool {
    [ENOSPC, EDQUOT, EROFS, EIO, EACCES, EPERM, ENOENT, ENOTDIR, ESTALE, ENXIO, ENODEV].contains(code)
  }
}
