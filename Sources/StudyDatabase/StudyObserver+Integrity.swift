import Foundation
import GRDB

extension StudyObserver {
  /// What SQLite finds wrong with the file (`PRAGMA integrity_check`); empty when it is sound.
  public func integrityProblems() throws -> [String] {
    let lines = try reading.read { db in try String.fetchAll(db, sql: "PRAGMA integrity_check(20)") }
    return lines == ["ok"] ? [] : lines
  }
}

extension SQLiteStudyStore {
  /// Version of the SQLite library that is loaded.
  public static var libraryVersion: String {
    let version = try? DatabaseQueue().read { db in try String.fetchOne(db, sql: "SELECT sqlite_version()") }
    return version ?? "unknown"
  }
}

/// The version of study databases that this build reads and writes.
public enum StudyDatabaseSchema {
  public static var current: Int { Schema.current }
}
