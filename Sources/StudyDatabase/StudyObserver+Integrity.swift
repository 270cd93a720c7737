import Foundation
import GRDB
import Study

extension StudyObserver {
  /// What SQLite finds wrong with the file (`PRAGMA integrity_check`); empty when it is sound.
  package func integrityProblems() throws -> [String] {
    let lines = try reading.read { db in try String.fetchAll(db, sql: "PRAGMA integrity_check(20)") }
    return lines == ["ok"] ? [] : lines
  }

  /// Whether the rows of this study have digests: studies of older versions get them when they are opened for writing.
  package var hasDigests: Bool { version >= 2 }

  /// Rows that are not as they were stored, and tables, triggers and indexes that engram did not make; empty when there
  /// are none, or where the rows have no digests.
  ///
  /// - Parameter limit: the most that are named; what follows is counted in the last one.
  package func alterations(limit: Int = 20) throws -> [String] {
    try reading.read { db in
      var found = try Schema.strangeObjects(db, version: version).map { "the database has \($0)" }
      guard hasDigests else { return found }
      for columns in DigestedColumns.all { found += try Self.altered(db, columns) }
      found += try Self.brokenEvents(db)
      // The trials' two digests may name one trial twice.
      var seen: Set<String> = []
      found = found.filter { seen.insert($0).inserted }
      return found.count <= limit ? found : found.prefix(limit) + ["and \(found.count - limit) more"]
    }
  }

  private static func altered(_ db: Database, _ columns: DigestedColumns) throws -> [String] {
    var found: [String] = []
    let list = (columns.columns + [columns.digest]).joined(separator: ", ")
    let rows = try Row.fetchCursor(db, sql: "SELECT \(list) FROM \(columns.table)")
    while let row = try rows.next() {
      let name = columns.table == "study" ? columns.name : "\(columns.name) \((row[0] as DatabaseValue).description)"
      switch row[columns.columns.count] as Data? {
      case nil: found.append("\(name) was added by another program")
      case columns.of(row): continue
      default: found.append("\(name) is not as it was stored (\(columns.columns.dropFirst().joined(separator: ", ")))")
      }
    }
    return found
  }

  /// The events whose digests do not follow from those before them.
  private static func brokenEvents(_ db: Database) throws -> [String] {
    var found: [String] = []
    var previous = Data()
    let rows = try Row.fetchCursor(db, sql: "SELECT number, time, kind, digest FROM events ORDER BY number")
    while let row = try rows.next() {
      let number: Int = row[0]
      let expected = RowDigest.of((number: number, time: row[1], text: row[2]), after: previous)
      let stored: Data? = row[3]
      if stored != expected { found.append("event \(number), or the one before it, is not as it was stored") }
      // The stored one: what follows is judged by itself.
      previous = stored ?? expected
    }
    return found
  }
}

extension SQLiteStudyStore {
  /// Version of the SQLite library that is loaded.
  package static var libraryVersion: String {
    // Only for display.
    let version = try? DatabaseQueue().read { db in try String.fetchOne(db, sql: "SELECT sqlite_version()") }
    return version ?? "unknown"
  }
}

/// The version of study databases that this build reads and writes.
package enum StudyDatabaseSchema {
  package static var current: Int { Schema.current }
}
