import Foundation
import GRDB
import Study
import Synchronization

/// The study's home on disk: one SQLite database with one writer.
///
/// - Opened only by the coordinator, which holds an exclusive lock on the folder while it lives; a second one is
///   refused. The kernel releases the lock with the process, so a killed owner leaves nothing to clean up.
/// - WAL with `synchronous=FULL`: when `commit` returns, the step survives loss of power. (GRDB's own set-up of WAL would
///   choose NORMAL.)
/// - Readers (``StudyObserver``) never block the writer, nor the writer them.
package final class SQLiteStudyStore: StudyStore {
  /// The folder of the study.
  package let folder: StudyFolder
  private let queue: DatabaseQueue
  private let reading: StudyReading
  private let lock: StudyLock
  private let presence: DatabasePresence
  /// What ``checkPresence()`` has found once stays true.
  private let loss = Mutex<StudyError?>(nil)

  /// Opens the study in `folder`, or begins it with `definition` and `budget` if there is none.
  ///
  /// An older schema is brought up to date after a backup; a newer one is refused and not touched.
  ///
  /// - Throws: `locked`, `newerSchema`, `corrupt`, `permission`, `diskFull`, `notFound` (no study and no definition).
  package convenience init(
    _ folder: StudyFolder, beginning new: (definition: StudyDefinition, budget: Int)? = nil
  ) throws {
    try self.init(folder, beginning: new, steps: Schema.steps)
  }

  /// The same with other migration steps, for tests.
  init(
    _ folder: StudyFolder, beginning new: (definition: StudyDefinition, budget: Int)?, steps: [Schema.Step]
  ) throws {
    guard folder.exists || new != nil else {
      throw StudyError(.notFound, "there is no study in \(folder.url.path); `engram study list` shows what there is")
    }
    try folder.make()
    self.folder = folder
    lock = try StudyLock(folder)
    let path = folder.database.path
    try DatabasePresence.checkBeforeWriting(path)
    if new != nil { try folder.makeDatabase() }
    queue = try translating(path) { try Self.open(folder, steps: steps) }
    reading = StudyReading(queue: queue, path: path)
    presence = DatabasePresence(path)
    if let new { try begin(new.definition, budget: new.budget) }
    try presence.remember()
  }

  private static func open(_ folder: StudyFolder, steps: [Schema.Step]) throws -> DatabaseQueue {
    let path = folder.database.path
    if folder.exists {
      try DatabasePresence.checkBeforeReading(path)
      // Looked at read-only first: a file that is not ours, or newer, stays as it is, byte by byte.
      var look = Configuration()
      look.readonly = true
      look.busyMode = .timeout(5)
      let queue = try DatabaseQueue(path: path, configuration: look)
      let (found, isEmpty) = try queue.read { db in (try Schema.version(db), try isEmptyDatabase(db)) }
      try Schema.check(found, isEmpty: isEmpty, path: path, current: steps.count)
      try queue.read { try Schema.refuseTriggers($0, path: path) }
      if found.version > 0 && found.version < steps.count {
        try privateCopy(of: queue, at: "\(path).v\(found.version).backup")
      }
      try queue.close()
    }
    var configuration = Configuration()
    configuration.busyMode = .timeout(5)
    configuration.prepareDatabase { db in
      try db.execute(sql: "PRAGMA journal_mode = WAL")
      try db.execute(sql: "PRAGMA synchronous = FULL")
    }
    let queue = try DatabaseQueue(path: path, configuration: configuration)
    try Schema.migrate(queue, steps: steps)
    let verdict = try queue.read { try String.fetchOne($0, sql: "PRAGMA quick_check(1)") }
    guard verdict == "ok" else {
      throw StudyError(
        .corrupt, "\(path) is damaged (\(verdict ?? "no answer")); \(folder.remedy)")
    }
    return queue
  }

  /// Stores definition and first header where there are none yet.
  private func begin(_ definition: StudyDefinition, budget: Int) throws {
    let encoder = RowEncoder()
    let texts = try (encoder.text(definition), encoder.text(StudyHeader(budget: budget)))
    try write { db in
      if try Int.fetchOne(db, sql: "SELECT count(*) FROM study") == 0 { try StudyReading.checkUnbegun(db, folder) }
      try db.execute(
        sql: "INSERT OR IGNORE INTO study (id, definition, header, digest) VALUES (1, ?, ?, ?)",
        arguments: [texts.0, texts.1, DigestedColumns.study.of([1, texts.0, texts.1])])
    }
  }

  /// Replaces the definition, where it says the same in other words: for a program or file that lies elsewhere now.
  ///
  /// - Throws: ``StudyError``: `wrongStudy` for another study's.
  package func redefine(_ definition: StudyDefinition) throws {
    let old = try load().definition
    guard (definition.identifier, definition.name, definition.seed) == (old.identifier, old.name, old.seed),
      definition.objectives == old.objectives, definition.fingerprints == old.fingerprints
    else { throw StudyError(.wrongStudy, "\(folder.url.path) holds another study than the one that is to replace it") }
    let text = try RowEncoder().text(definition)
    try write { db in
      let header = try String.fetchOne(db, sql: "SELECT header FROM study") ?? ""
      try db.execute(
        sql: "UPDATE study SET definition = ?, digest = ?",
        arguments: [text, DigestedColumns.study.of([1, text, header])])
    }
  }

  /// Before and after: what was committed to a file that has lost its name must not be acknowledged.
  private func write(_ body: (Database) throws -> Void) throws {
    try checkPresence()
    try translating(folder.database.path) {
      try queue.inDatabase { db in
        try db.inTransaction(.immediate) {
          try body(db)
          return .commit
        }
      }
    }
    // The log appears with the first step.
    try presence.remember()
    try checkPresence()
  }

  package func load() throws -> StudyRecord { try reading.load() }
  package func lastEventNumber() throws -> Int {
    // Whether a step was stored is asked here: nothing is, in a file that nobody will find again.
    try checkPresence()
    return try reading.lastEventNumber()
  }
  package func mark() throws -> CommitMark {
    try checkPresence()
    return try translating(folder.database.path) { try queue.inDatabase { try Self.mark($0) } }
  }
  package func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try reading.events(after: number, limit: limit)
  }
  package func reports(trial: Int) throws -> [IntermediateReport] { try reading.reports(trial: trial) }
  package func warmStart(trial: Int) throws -> Data? { try reading.warmStart(trial: trial) }

  /// Copies the study into `file`, consistently.
  package func backup(to file: URL) throws {
    try translating(file.path) { try privateCopy(of: queue, at: file.path) }
  }

  /// A setting of SQLite as it is in force, such as `journal_mode` or `synchronous`.
  package func setting(_ pragma: String) throws -> String? {
    try translating(folder.database.path) {
      try queue.inDatabase { try String.fetchOne($0, sql: "PRAGMA \(pragma)") }
    }
  }

  /// Closes the database, so that its file alone is the whole study; the lock goes with the store.
  package func close() throws {
    try translating(folder.database.path) {
      // Closing does it too, unless somebody looks on at this moment. Passive: waits for nobody, and a failure loses
      // nothing that closing would not save.
      try? queue.inDatabase { db in _ = try Row.fetchOne(db, sql: "PRAGMA wal_checkpoint(PASSIVE)") }
      try queue.close()
    }
  }

  /// Makes sure that nobody runs the study in `folder`, and keeps it so while `body` runs; its database is not opened, and
  /// may be damaged.
  ///
  /// - Throws: `locked`, `permission`, and what `body` throws.
  package static func whileNobodyRuns<T>(_ folder: StudyFolder, _ body: () throws -> T) throws -> T {
    let lock = try StudyLock(folder)
    return try withExtendedLifetime(lock) { try body() }
  }

  // MARK: - Presence

  /// Throws `vanished` when the database's files are no longer those under their names: removed, moved or replaced.
  ///
  /// What the open files hold is copied to a new folder beside the study's then, so that nothing that was acknowledged is
  /// lost. To be asked at least once per heartbeat; every commit asks by itself, before and after.
  package func checkPresence() throws {
    try loss.withLock { loss in
      if let loss { throw loss }
      do throws(StudyError) {
        try presence.check()
      } catch {
        guard error.code == .vanished else { throw error }
        let found = StudyError(.vanished, error.message + rescue())
        loss = found
        throw found
      }
    }
  }

  /// Copies the study from the open files, and says where to.
  private func rescue() -> String {
    let stamp = Int(Date().timeIntervalSince1970)
    let rescued = StudyFolder(
      folder.url.deletingLastPathComponent().appendingPathComponent(
        "\(folder.url.lastPathComponent).rescued-\(stamp)", isDirectory: true))
    do {
      try rescued.make()
      try backup(to: rescued.database)
    } catch {
      return ". Its content could not be copied either (\(error)): bring the file back, or restore a copy"
    }
    return ". All that was committed was copied to \(rescued.url.path): to go on with it, move away what is left of "
      + "\(folder.url.path), rename the copy to that, and run the same command again"
  }

  // MARK: - Writing

  package func commit(_ transitions: [Transition]) throws {
    guard !transitions.isEmpty else { return }
    let encoder = RowEncoder()
    try write { db in
      var stored = try Self.mark(db)
      var last = stored.event
      var count = try Int.fetchOne(db.cachedStatement(sql: "SELECT max(number) + 1 FROM trials")) ?? 0
      for transition in transitions {
        try StoreGuard.check(transition, stored: stored)
        try StoreGuard.check(transition, lastEvent: last, trialCount: count)
        try Self.put(transition, trialCount: count, encoder, db)
        last = transition.header.lastEvent
        stored = CommitMark(transition.header)
        count = max(count, (transition.trials.last?.number ?? -1) + 1)
      }
      if let header = transitions.last(where: { !$0.events.isEmpty })?.header {
        try Self.put(header, encoder, db)
      }
    }
  }

  /// What is stored last, and by whom.
  private static func mark(_ db: Database) throws -> CommitMark {
    let last = try Int.fetchOne(db.cachedStatement(sql: "SELECT max(number) FROM events")) ?? 0
    let statement = try db.cachedStatement(
      sql: "SELECT json_extract(header, '$.epoch'), json_extract(header, '$.writer') FROM study")
    let row = try Row.fetchOne(statement)
    return CommitMark(event: last, epoch: row?[0] ?? 0, writer: row?[1])
  }
}
