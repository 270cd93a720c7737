import Foundation
import GRDB
import Study

/// Runs a database operation and turns SQLite's errors into the study's, with the remedy.
func translating<T>(_ path: String, _ body: () throws -> T) throws -> T {
  do {
    return try body()
  } catch let error as DatabaseError {
    throw studyError(error, path: path)
  } catch let error as EncodingError {
    throw unstorable(error, path: path)
  }
}

/// A value that JSON has no text for will not have one later: not an error that passes.
private func unstorable(_ error: EncodingError, path: String) -> StudyError {
  guard case .invalidValue(let value, let context) = error else {
    return StudyError(.unstorable, "\(path) cannot hold a value of this step: \(error)")
  }
  let place = context.codingPath.map(\.stringValue).joined(separator: ".")
  return StudyError(.unstorable, "\(path) cannot hold \(place.isEmpty ? "the value" : place) \(value)")
}

/// Gives the study's error for an error of the database.
///
/// Bound values never enter the message.
func studyError(_ error: DatabaseError, path: String) -> StudyError {
  let text = error.message ?? "no message"
  let code = error.extendedResultCode.rawValue
  switch error.resultCode {
  case .SQLITE_FULL:
    return StudyError(
      .diskFull, "the disk with \(path) is full; nothing is lost. Make room; the study goes on by itself")
  case .SQLITE_BUSY, .SQLITE_LOCKED:
    return StudyError(
      .busy, "\(path) is locked by another program (\(text)); close programs that write to it, such as sqlite3")
  case .SQLITE_IOERR:
    return StudyError(
      .inputOutput, "reading or writing \(path) failed (SQLite \(code): \(text)); check the disk and `dmesg`")
  case .SQLITE_NOTADB:
    return StudyError(.corrupt, "\(path) is damaged (\(text)): nothing of it can be read; restore a copy of yours")
  case .SQLITE_CORRUPT:
    return StudyError(
      .corrupt, "\(path) is damaged (\(text)); \(StudyFolder(database: path).remedy)")
  case .SQLITE_READONLY, .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_AUTH:
    return StudyError(
      .permission, "\(path) cannot be opened or written (\(text)); check that file and folder exist and belong to you")
  case .SQLITE_CONSTRAINT:
    if text.contains("trials.key") {
      return StudyError(.duplicateKey, "two trials of \(path) would have one configuration (\(text))")
    }
    return StudyError(.illegalTransition, "\(path) refused the step (\(text)); please report this as a bug")
  case .SQLITE_TOOBIG, .SQLITE_MISMATCH, .SQLITE_RANGE:
    return StudyError(.unstorable, "\(path) cannot hold a value of this step (SQLite \(code): \(text))")
  default:
    return StudyError(.inputOutput, "SQLite error \(code) with \(path): \(text)")
  }
}
