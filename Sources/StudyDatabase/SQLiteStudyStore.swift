import Foundation
import GRDB
import Study

/// The study's home on disk: one SQLite database with one writer.
///
/// - Opened only by the coordinator, which holds an exclusive lock on the folder while it lives; a second one is
///   refused. The kernel releases the lock with the process, so a killed owner leaves nothing to clean up.
/// - WAL with `synchronous=FULL`: when `commit` returns, the step survives loss of power. (GRDB's own set-up of WAL would
///   choose NORMAL.)
/// - Readers (``StudyObserver``) never block the writer, nor the writer them.
public final class SQLiteStudyStore: StudyStore {
  /// The folder of the study.
  public let folder: StudyFolder
  private let queue: DatabaseQueue
  private let reading: StudyReading
  private let lock: StudyLock

  /// Opens the study in `folder`, or begins it with `definition` and `budget` if there is none.
  ///
  /// An older schema is brought up to date after a backup; a newer one is refused and not touched.
  ///
  /// - Throws: `locked`, `newerSchema`, `corrupt`, `permission`, `diskFull`, `notFound` (no study and no definition).
  public convenience init(
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
    queue = try translating(path) { try Self.open(folder, steps: steps) }
    reading = StudyReading(queue: queue, path: path)
    if let new { try begin(new.definition, budget: new.budget) }
  }

  private static func open(_ folder: StudyFolder, steps: [Schema.Step]) throws -> DatabaseQueue {
    let path = folder.database.path
    if folder.exists {
      // Looked at read-only first: a file that is not ours, or newer, stays as it is, byte by byte.
      var look = Configuration()
      look.readonly = true
      look.busyMode = .timeout(5)
      let queue = try DatabaseQueue(path: path, configuration: look)
      let (found, isEmpty) = try queue.read { db in (try Schema.version(db), try isEmptyDatabase(db)) }
      try Schema.check(found, isEmpty: isEmpty, path: path, current: steps.count)
      if found.version > 0 && found.version < steps.count {
        try queue.backup(to: DatabaseQueue(path: "\(path).v\(found.version).backup"))
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
        .corrupt, "\(path) is damaged (\(verdict ?? "no answer")); restore a backup (study.sqlite.*.backup)")
    }
    return queue
  }

  /// Stores definition and first header where there are none yet.
  private func begin(_ definition: StudyDefinition, budget: Int) throws {
    let encoder = RowEncoder()
    let texts = try (encoder.text(definition), encoder.text(StudyHeader(budget: budget)))
    try write { db in
      try db.execute(
        sql: "INSERT OR IGNORE INTO study (id, definition, header) VALUES (1, ?, ?)", arguments: [texts.0, texts.1])
    }
  }

  private func write(_ body: (Database) throws -> Void) throws {
    try translating(folder.database.path) {
      try queue.inDatabase { db in
        try db.inTransaction(.immediate) {
          try body(db)
          return .commit
        }
      }
    }
  }

  public func load() throws -> StudyRecord { try reading.load() }
  public func lastEventNumber() throws -> Int { try reading.lastEventNumber() }
  public func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try reading.events(after: number, limit: limit)
  }
  public func reports(trial: Int) throws -> [IntermediateReport] { try reading.reports(trial: trial) }
  public func warmStart(trial: Int) throws -> Data? { try reading.warmStart(trial: trial) }

  /// Copies the study into `file`, consistently.
  public func backup(to file: URL) throws {
    try translating(file.path) { try queue.backup(to: DatabaseQueue(path: file.path)) }
  }

  /// A setting of SQLite as it is in force, such as `journal_mode` or `synchronous`.
  public func setting(_ pragma: String) throws -> String? {
    try translating(folder.database.path) {
      try queue.inDatabase { try String.fetchOne($0, sql: "PRAGMA \(pragma)") }
    }
  }

  /// Closes the database; the lock goes with the store.
  public func close() throws { try translating(folder.database.path) { try queue.close() } }

  // MARK: - Writing

  public func commit(_ transitions: [Transition]) throws {
    guard !transitions.isEmpty else { return }
    let encoder = RowEncoder()
    try write { db in
      var last = try Int.fetchOne(db.cachedStatement(sql: "SELECT max(number) FROM events")) ?? 0
      var count = try Int.fetchOne(db.cachedStatement(sql: "SELECT max(number) + 1 FROM trials")) ?? 0
      for transition in transitions {
        try StoreGuard.check(transition, lastEvent: last, trialCount: count)
        try Self.put(transition, trialCount: count, encoder, db)
        last = transition.header.lastEvent
        count = max(count, (transition.trials.last?.number ?? -1) + 1)
      }
      if let header = transitions.last(where: { !$0.events.isEmpty })?.header {
        try db.cachedStatement(sql: "UPDATE study SET header = ?").execute(arguments: [try encoder.text(header)])
      }
    }
  }

  private static func put(
    _ transition: Transition, trialCount: Int, _ encoder: RowEncoder, _ db: Database
  ) throws {
    let insertEvent = try db.cachedStatement(sql: "INSERT INTO events (number, time, kind) VALUES (?, ?, ?)")
    for event in transition.events {
      try insertEvent.execute(arguments: [event.number, event.time, try encoder.text(event.kind)])
    }
    for trial in transition.trials {
      try put(trial, isNew: trial.number >= trialCount, changed: transition.changedAttempts, encoder, db)
    }
    for report in transition.reports {
      try db.cachedStatement(
        sql: "INSERT OR REPLACE INTO reports (token, step, trial, objectives) VALUES (?, ?, ?, ?)"
      ).execute(
        arguments: [report.token.rawValue, report.step, report.trial, try encoder.text(report.values)])
    }
    for (trial, data) in transition.warmStarts {
      try db.cachedStatement(sql: "INSERT OR REPLACE INTO warm_starts (trial, data) VALUES (?, ?)")
        .execute(arguments: [trial, data])
    }
  }

  private static func put(
    _ trial: Trial, isNew: Bool, changed: Set<AttemptToken>, _ encoder: RowEncoder, _ db: Database
  ) throws {
    // The result of the decisive attempt stands in the attempt's row; only attached trials have one of their own.
    let hasAttempt = trial.attempts.contains { $0.state == .succeeded }
    let result = hasAttempt ? nil : try encoder.text(ifPresent: trial.result)
    let failure = try encoder.text(ifPresent: trial.failure)
    if isNew {
      try db.cachedStatement(
        sql: """
          INSERT INTO trials (number, key, kind, state, configuration, seed, provenance, result, failure, ended_event,
            needs_more_than_bytes, forgiven_attempts, hypervolume) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """
      ).execute(arguments: [
        trial.number, trial.key, trial.kind.rawValue, trial.state.rawValue, try encoder.text(trial.configuration),
        Int64(bitPattern: trial.seed), try encoder.text(trial.provenance), result, failure, trial.endedEvent,
        trial.needsMoreThanBytes, trial.forgivenAttempts, trial.hypervolume,
      ])
    } else {
      try db.cachedStatement(
        sql: """
          UPDATE trials SET state = ?, result = ?, failure = ?, ended_event = ?, needs_more_than_bytes = ?,
            forgiven_attempts = ?, hypervolume = ? WHERE number = ?
          """
      ).execute(arguments: [
        trial.state.rawValue, result, failure, trial.endedEvent, trial.needsMoreThanBytes, trial.forgivenAttempts,
        trial.hypervolume, trial.number,
      ])
    }
    for attempt in trial.attempts where changed.contains(attempt.token) { try put(attempt, encoder, db) }
  }

  private static func put(_ attempt: Attempt, _ encoder: RowEncoder, _ db: Database) throws {
    try db.cachedStatement(
      sql: """
        INSERT INTO attempts (token, trial, ordinal, worker, state, lease_seconds, leased_time, started_time, ended_time,
          is_counted, result, failure, has_conflict) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (token) DO UPDATE SET worker = excluded.worker, state = excluded.state,
          started_time = excluded.started_time, ended_time = excluded.ended_time, is_counted = excluded.is_counted,
          result = excluded.result, failure = excluded.failure, has_conflict = excluded.has_conflict
          WHERE trial = excluded.trial
        """
    ).execute(arguments: [
      attempt.token.rawValue, attempt.trial, attempt.ordinal, try encoder.text(attempt.worker),
      attempt.state.rawValue, attempt.leaseSeconds, attempt.leasedTime, attempt.startedTime, attempt.endedTime,
      attempt.isCounted, try encoder.text(ifPresent: attempt.result), try encoder.text(ifPresent: attempt.failure),
      attempt.hasConflict,
    ])
  }
}
