import Foundation
import GRDB
import Study

extension Schema {
  /// Version 2: a digest for every row, and a chain of digests over the events.
  ///
  /// Why: a changed result, seed or configuration could not be told from one that was stored so. The rows of older
  /// studies get the digests of what is in them now.
  static let version2: Step = { db in
    try db.execute(
      sql: """
        ALTER TABLE study ADD COLUMN digest BLOB;
        ALTER TABLE trials ADD COLUMN origin_digest BLOB;
        ALTER TABLE trials ADD COLUMN digest BLOB;
        ALTER TABLE attempts ADD COLUMN digest BLOB;
        ALTER TABLE events ADD COLUMN digest BLOB;
        ALTER TABLE reports ADD COLUMN digest BLOB;
        ALTER TABLE warm_starts ADD COLUMN digest BLOB;
        """)
    for columns in DigestedColumns.all { try columns.fill(db) }
    let update = try db.makeStatement(sql: "UPDATE events SET digest = ? WHERE number = ?")
    var previous = Data()
    let events = try Row.fetchAll(db, sql: "SELECT number, time, kind FROM events ORDER BY number")
    for event in events {
      let number: Int = event[0]
      previous = RowDigest.of((number: number, time: event[1], text: event[2]), after: previous)
      try update.execute(arguments: [previous, number])
    }
  }

  /// The oldest version that observers read as it is.
  static let oldestReadable = 1

  /// Tables, indexes, triggers and views that a study of version `version` does not have, and what it lacks of them.
  static func strangeObjects(_ db: Database, version: Int) throws -> [String] {
    func objects(_ db: Database) throws -> [String: String] {
      let rows = try Row.fetchAll(db, sql: "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")
      var found: [String: String] = [:]
      for row in rows { found["\(row[0] as String) \(row[1] as String)"] = row[2] as String? ?? "" }
      return found
    }
    let model = try DatabaseQueue()
    try migrate(model, steps: Array(steps.prefix(version)))
    let (expected, found) = (try model.inDatabase(objects), try objects(db))
    let strange = found.keys.filter { expected[$0] == nil }.sorted().map { "a \($0) that engram did not make" }
    let missing = expected.keys.filter { found[$0] == nil }.sorted().map { "no \($0)" }
    let changed = found.keys.filter { expected[$0] != nil && expected[$0] != found[$0] }.sorted()
      .map { "another \($0) than engram makes" }
    return strange + missing + changed
  }

  /// Throws if something in the database would act on its own when this program writes.
  static func refuseTriggers(_ db: Database, path: String) throws {
    let names = try String.fetchAll(db, sql: "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    guard let name = names.first else { return }
    throw StudyError(
      .corrupt,
      "\(path) has a trigger, \(name), that engram did not make: it would change what is stored. Remove it: sqlite3 "
        + "\(path) 'DROP TRIGGER \(name)'; then see engram doctor STUDY for what it may have changed")
  }
}
