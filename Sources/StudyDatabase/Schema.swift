import Foundation
import GRDB
import Study

/// The database's schema: one step per version, each in one transaction with its version number.
///
/// A step never changes once it has been released; every released version has a fixture among the tests.
enum Schema {
  /// `PRAGMA application_id` of every Engram study ("ENGR").
  static let applicationID: Int32 = 0x454E_4752

  /// The step that leads to version index + 1.
  typealias Step = @Sendable (Database) throws -> Void

  /// All steps.
  static let steps: [Step] = [version1, version2]

  /// The version this build reads and writes.
  static var current: Int { steps.count }

  private static let version1: Step = { db in
    try db.execute(
      sql: """
        CREATE TABLE study (
          id INTEGER PRIMARY KEY CHECK (id = 1),
          definition TEXT NOT NULL,
          header TEXT NOT NULL
        ) STRICT;
        CREATE TABLE trials (
          number INTEGER PRIMARY KEY,
          key TEXT NOT NULL UNIQUE,
          kind TEXT NOT NULL,
          state TEXT NOT NULL,
          configuration TEXT NOT NULL,
          seed INTEGER NOT NULL,
          provenance TEXT NOT NULL,
          result TEXT,
          failure TEXT,
          ended_event INTEGER,
          needs_more_than_bytes INTEGER,
          forgiven_attempts INTEGER NOT NULL,
          hypervolume REAL
        ) STRICT;
        CREATE TABLE attempts (
          token INTEGER PRIMARY KEY,
          trial INTEGER NOT NULL REFERENCES trials(number),
          ordinal INTEGER NOT NULL,
          worker TEXT NOT NULL,
          state TEXT NOT NULL,
          lease_seconds REAL NOT NULL,
          leased_time REAL NOT NULL,
          started_time REAL,
          ended_time REAL,
          is_counted INTEGER NOT NULL,
          result TEXT,
          failure TEXT,
          has_conflict INTEGER NOT NULL,
          UNIQUE (trial, ordinal)
        ) STRICT;
        CREATE UNIQUE INDEX one_lease ON attempts(trial) WHERE state IN ('leased', 'started');
        CREATE TABLE events (
          number INTEGER PRIMARY KEY,
          time REAL NOT NULL,
          kind TEXT NOT NULL
        ) STRICT;
        CREATE TABLE reports (
          token INTEGER NOT NULL,
          step INTEGER NOT NULL,
          trial INTEGER NOT NULL,
          objectives TEXT NOT NULL,
          PRIMARY KEY (token, step)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX reports_by_trial ON reports(trial, token, step);
        CREATE TABLE warm_starts (
          trial INTEGER PRIMARY KEY REFERENCES trials(number),
          data BLOB NOT NULL
        ) STRICT;
        """)
  }

  /// Version and owner of the file behind `db`.
  static func version(_ db: Database) throws -> (version: Int, application: Int32) {
    let version = try Int.fetchOne(db, sql: "PRAGMA user_version") ?? 0
    let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
    return (version, application)
  }

  /// Throws unless this build may read a file of that version.
  static func check(_ found: (version: Int, application: Int32), isEmpty: Bool, path: String, current: Int) throws {
    if found.version == 0 && isEmpty { return }
    guard found.application == applicationID, found.version > 0 else {
      throw StudyError(
        .wrongStudy, "\(path) is a database of another program; choose another study name or --runs folder")
    }
    guard found.version <= current else {
      throw StudyError(
        .newerSchema,
        "\(path) has schema version \(found.version), this engram knows versions up to \(current); it was not touched. "
          + "Use the newer engram that made it, or start another study")
    }
  }

  /// Brings the database to the current version, step by step.
  static func migrate(_ writer: DatabaseQueue, steps: [Step] = steps) throws {
    let start = try writer.read { try version($0).version }
    for (index, step) in steps.enumerated() where index >= start {
      try writer.inDatabase { db in
        try db.inTransaction(.immediate) {
          try step(db)
          try db.execute(sql: "PRAGMA application_id = \(applicationID)")
          try db.execute(sql: "PRAGMA user_version = \(index + 1)")
          return .commit
        }
      }
    }
  }
}
