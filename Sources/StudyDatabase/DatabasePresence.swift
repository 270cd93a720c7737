import Foundations
import Foundation
import Study
import Synchronization

/// Whether the files of an open database are still those under their names.
///
/// SQLite goes on with a file that has no name any more: everything would seem to be stored until the process ends.
final class DatabasePresence: Sendable {
  /// A file by device and inode.
  private struct Identity: Equatable {
    var device: dev_t
    var inode: ino_t
  }

  private struct Known {
    var database: Identity?
    var log: Identity?
  }

  private let path: String
  private let known = Mutex(Known())

  /// - Parameter path: the database's file.
  init(_ path: String) { self.path = path }

  private var logPath: String { path + "-wal" }

  /// Remembers which files are open; the log appears with the first step.
  ///
  /// - Throws: ``StudyError``, where the database is gone already.
  func remember() throws(StudyError) {
    let (database, log) = (try Self.identity(path), try Self.identity(logPath))
    let isLost = known.withLock { known in
      if known.database == nil { known.database = database }
      if known.log == nil { known.log = log }
      return known.database == nil
    }
    if isLost { throw Self.gone(path, "is not there any more") }
  }

  /// Throws `vanished` unless the names still lead to the open files.
  func check() throws(StudyError) {
    let known = known.withLock { $0 }
    guard let open = known.database else { return }
    for (name, expected) in [(path, open), (logPath, known.log)] {
      guard let expected else { continue }
      guard let found = try Self.identity(name) else { throw Self.gone(name, "was removed or moved away") }
      guard found == expected else { throw Self.gone(name, "was replaced by another file") }
    }
  }

  private static func gone(_ path: String, _ what: String) -> StudyError {
    StudyError(.vanished, "\(path) \(what) while this coordinator had it open; nothing more is stored or acknowledged")
  }

  private static func identity(_ path: String) throws(StudyError) -> Identity? {
    var status = stat()
    guard stat(path, &status) == 0 else {
      let error = FileError("cannot look at", path)
      if error.isMissing { return nil }
      throw StudyError(.inputOutput, "\(error)")
    }
    return Identity(device: status.st_dev, inode: status.st_ino)
  }

  // MARK: - Before it is opened

  /// Throws unless `path` may be opened for writing: a regular file with one name, reached by no link.
  ///
  /// The lock stands in the database's folder: by another name in another folder a second coordinator would pass it.
  ///
  /// - Throws: ``StudyError``.
  static func checkBeforeWriting(_ path: String) throws(StudyError) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFLNK:
      // Where it leads, as far as that can be read.
      let target = (try? FileManager.default.destinationOfSymbolicLink(atPath: path)) ?? "another file"
      throw StudyError(
        .permission,
        "\(path) is a link to \(target): a coordinator there would not know of this one. Work with the study's own "
          + "folder, or copy it with engram study export")
    case S_IFDIR: throw StudyError(.corrupt, "\(path) is a folder, not a database. Move it away")
    default: throw StudyError(.corrupt, "\(path) is no regular file. Move it away")
    }
    guard status.st_nlink <= 1 else {
      throw StudyError(
        .permission,
        "\(path) has \(status.st_nlink) names (hard links): a coordinator of another folder may write to the same file. "
          + "Make it a file of its own: cp \(path) \(path).copy && mv \(path).copy \(path)")
    }
  }

  /// Throws unless the database at `path` can be opened without waiting: a FIFO would never answer.
  ///
  /// - Throws: ``StudyError``.
  static func checkBeforeReading(_ path: String) throws(StudyError) {
    for (name, followsLinks) in [(path, true), (path + "-wal", false), (path + "-shm", false)] {
      var status = stat()
      guard (followsLinks ? stat(name, &status) : lstat(name, &status)) == 0 else { continue }
      switch status.st_mode & S_IFMT {
      case S_IFREG: continue
      case S_IFDIR: throw StudyError(.corrupt, "\(name) is a folder, not a database")
      case S_IFLNK: throw StudyError(.corrupt, "\(name) is a link, which SQLite never makes. Remove it")
      default: throw StudyError(.corrupt, "\(name) is no regular file (a FIFO, socket or device)")
      }
    }
  }
}
