import Foundation
import GRDB
import Study
import StudyTesting
import TestSupport
import Testing

@testable import StudyDatabase

/// R18: a kill at any statement of any migration leaves the old version or the new one, never something between.
///
/// What a killed process leaves behind is what its files hold at that moment: before every statement they are copied,
/// and each copy is opened as after a restart.
@Suite("Killed migrations", .bounded) struct KilledMigrationTests {
  /// All steps, and two more so that every released version has something to migrate to.
  private static let steps: [Schema.Step] =
    Schema.steps + [
      { db in
        try db.execute(
          sql: """
            CREATE TABLE notes (trial INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
            INSERT INTO notes SELECT number, key FROM trials;
            CREATE INDEX notes_by_text ON notes(text);
            """)
      },
      { db in
        try db.execute(
          sql: """
            ALTER TABLE notes ADD COLUMN author TEXT;
            UPDATE notes SET author = 'nobody';
            """)
      },
    ]

  @Test("R18: a kill at any statement leaves the old or the new") func aKillAtAnyStatementLeavesOldOrNew() async {
    let outcome = await FaultRun.perform("R18") { run in
      for version in 0...Schema.current { try Self.migrate(from: version, run) }
      run.outcome.count = run.fired
      run.outcome.what =
        "a kill before every statement of \(Schema.current + 1) upgrades to version \(Self.steps.count)"
    }
    #expect(outcome.problems == [])
  }

  private static func migrate(from version: Int, _ run: FaultRun) throws {
    let folder = try TemporaryFolder()
    let study = StudyFolder(folder.url)
    if version > 0 {
      try FileManager.default.copyItem(at: Fixtures.url("study-databases/v\(version).sqlite"), to: study.database)
    }
    let before = version > 0 ? try StudyReading(queue: open(study), path: study.database.path).load() : nil
    let snapshots = try TemporaryFolder()
    var taken = 0
    let queue = try open(study)
    queue.inDatabase { db in
      db.trace(options: .statement) { _ in
        let copy = snapshots.url.appendingPathComponent("\(taken)")
        if (try? FileManager.default.copyItem(at: folder.url, to: copy)) != nil { taken += 1 }
      }
    }
    try Schema.migrate(queue, steps: steps)
    queue.inDatabase { db in db.trace(options: []) }
    run.check(taken > 10, "only \(taken) statements were seen")
    for index in 0..<taken {
      let snapshot = StudyFolder(snapshots.url.appendingPathComponent("\(index)"))
      try check(snapshot, from: version, before, run, "version \(version), statement \(index)")
      run.fire("kill at a statement")
    }
  }

  private static func open(_ folder: StudyFolder) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA journal_mode = WAL")
      try db.execute(sql: "PRAGMA synchronous = FULL")
    }
    return try DatabaseQueue(path: folder.database.path, configuration: configuration)
  }

  /// One copy as a restart finds it.
  private static func check(
    _ folder: StudyFolder, from version: Int, _ before: StudyRecord?, _ run: FaultRun, _ place: String
  ) throws {
    let queue = try open(folder)
    let (found, tables, verdict) = try queue.read { db in
      (
        try Int.fetchOne(db, sql: "PRAGMA user_version") ?? -1,
        try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master WHERE type = 'table'") ?? -1,
        try String.fetchOne(db, sql: "PRAGMA integrity_check") ?? ""
      )
    }
    try queue.close()
    let isWhole = tables == (found == 0 ? 0 : found <= Schema.current ? 6 : 7)
    run.check(isWhole && found >= version, "\(place): version \(found) with \(tables) tables")
    run.check(verdict == "ok", "\(place): \(verdict)")
    let new = version == 0 ? (definition: StudyStoreContract.definition, budget: 10) : nil
    let store = try SQLiteStudyStore(folder, beginning: new, steps: steps)
    run.check(try store.setting("user_version") == "\(steps.count)", "\(place): not brought up to date")
    if let before { run.check(try store.load() == before, "\(place): the content differs") }
    try store.close()
  }
}
