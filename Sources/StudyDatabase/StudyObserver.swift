import Foundation
import GRDB
import Glibc
import Study

/// A read-only view of a study that another process may be running: never waits for it, never hurts it.
package final class StudyObserver: StudyReader {
  let reading: StudyReading
  /// Schema version of the database.
  let version: Int

  /// Opens the database of `folder` for reading.
  ///
  /// - Throws: `notFound`, `newerSchema`, `wrongStudy`, `corrupt`, `permission`, or what SQLite says.
  package init(_ folder: StudyFolder) throws {
    guard folder.exists else {
      throw StudyError(.notFound, "there is no study in \(folder.url.path); `engram study list` shows what there is")
    }
    let path = folder.database.path
    try Self.checkFile(path)
    let queue = try translating(path) { try Self.open(path) }
    reading = StudyReading(queue: queue, path: path)
    let (found, isEmpty) = try translating(path) {
      try queue.read { db in (try Schema.version(db), try isEmptyDatabase(db)) }
    }
    try Schema.check(found, isEmpty: isEmpty, path: path, current: Schema.current)
    version = found.version
    guard version > 0 else {
      throw StudyError(
        .notFound,
        "\(path) is empty: the study was not begun. Run engram search with its study file, or remove the folder")
    }
    guard version >= Schema.oldestReadable else {
      throw StudyError(
        .newerSchema,
        "\(path) has schema version \(version), this engram reads versions from \(Schema.oldestReadable); "
          + "run `engram coordinator` or `engram search` once to bring it up to date (a backup is made)")
    }
  }

  /// Says what is in the way before SQLite says it in its own words, or waits.
  private static func checkFile(_ path: String) throws(StudyError) {
    var status = stat()
    if stat(path, &status) != 0 {
      let reason = String(cString: strerror(errno))
      switch errno {
      case ENOENT, ELOOP, ENOTDIR:
        throw StudyError(
          .corrupt, "\(path) is a link that leads nowhere (\(reason)). Bring its target back, or remove it")
      case EACCES:
        throw StudyError(
          .permission,
          "\(path) belongs to another user and cannot be looked at (\(reason)). Ask its owner for a copy: "
            + "engram study export STUDY --output FILE.jsonl")
      default: throw StudyError(.inputOutput, "\(path): \(reason)")
      }
    }
    try DatabasePresence.checkBeforeReading(path)
    guard access(path, R_OK) == 0 else {
      throw StudyError(
        .permission,
        "\(path) cannot be read (\(String(cString: strerror(errno)))): studies are readable by their owner only. Ask the "
          + "owner for a copy: engram study export STUDY --output FILE.jsonl")
    }
  }

  /// A read-only connection.
  ///
  /// Where SQLite cannot make its shared memory file (no right to write in the folder, a medium that cannot be written)
  /// an immutable one, but never beside a log with content: that would hide the newest steps.
  private static func open(_ path: String) throws -> DatabaseQueue {
    var configuration = GRDB.Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    // For observers that stay at one moment, see `freeze`.
    configuration.allowsUnsafeTransactions = true
    do {
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      _ = try queue.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") }
      return queue
    } catch let error as DatabaseError where [.SQLITE_CANTOPEN, .SQLITE_READONLY].contains(error.resultCode) {
      var log = stat()
      if stat(path + "-wal", &log) == 0, log.st_size > 0 {
        let folder = StudyFolder(database: path).url.path
        throw StudyError(
          .permission,
          "\(path) cannot be looked at without the right to write beside it (\(error.message ?? "no message")): its newest "
            + "steps are in \(path)-wal, and to read those SQLite needs its shared memory file, study.sqlite-shm. Look at a "
            + "copy (cp -r \(folder) COPY; engram study show COPY), or let its owner run engram study export")
      }
      let escaped = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
      return try DatabaseQueue(path: "file:\(escaped)?immutable=1", configuration: configuration)
    }
  }

  /// Stays at this moment: all that is read from now on is of one state, however the study goes on.
  ///
  /// For copying; the log cannot be cut short meanwhile, so let go of the observer soon.
  package func freeze() throws {
    try translating(reading.path) {
      try reading.queue.inDatabase { db in
        guard !db.isInsideTransaction else { return }
        try db.beginTransaction(.deferred)
        // The moment is that of the first reading.
        _ = try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master")
      }
    }
  }

  package func load() throws -> StudyRecord { try reading.load() }
  package func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try reading.events(after: number, limit: limit)
  }
  package func reports(trial: Int) throws -> [IntermediateReport] { try reading.reports(trial: trial) }
  package func warmStart(trial: Int) throws -> Data? { try reading.warmStart(trial: trial) }

  /// The number of the last event: cheap, for polling.
  package func lastEventNumber() throws -> Int { try reading.lastEventNumber() }

  /// Copies the study into `file`, which only its owner may read, consistently, while it may be running.
  package func backup(to file: URL) throws {
    try translating(file.path) { try privateCopy(of: reading.queue, at: file.path) }
  }
}

/// Copies a database into a new file that only its owner may read.
func privateCopy(of queue: DatabaseQueue, at path: String) throws {
  let folder = StudyFolder(database: path)
  if path == folder.database.path {
    try folder.makeDatabase()
  } else {
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
    if descriptor >= 0 {
      fchmod(descriptor, 0o600)
      close(descriptor)
    }
  }
  let copy = try DatabaseQueue(path: path)
  try queue.backup(to: copy)
  try copy.close()
}
