import Foundation
import GRDB
import Study

/// Everything that reads: shared by the coordinator's store and by read-only observers.
struct StudyReading: Sendable {
  let queue: DatabaseQueue
  let path: String

  func read<T>(_ body: (Database) throws -> T) throws -> T {
    try translating(path) {
      try queue.inDatabase { db in
        var result: T?
        try db.inTransaction(.deferred) {
          result = try body(db)
          return .commit
        }
        guard let result else { throw StudyError(.inputOutput, "reading \(path) gave nothing") }
        return result
      }
    }
  }

  func load() throws -> StudyRecord {
    try read { db in
      var decoder = RowDecoder(path: path)
      guard let row = try Row.fetchOne(db, sql: "SELECT definition, header FROM study") else {
        throw StudyError(.notFound, "\(path) holds no study yet; run `engram search` to begin one")
      }
      let definition = try decoder.value(StudyDefinition.self, row[0], "the definition")
      let header = try decoder.value(StudyHeader.self, row[1], "the header")
      let trials = try Self.trials(db, &decoder)
      if let (index, trial) = trials.enumerated().first(where: { $0 != $1.number }) {
        throw StudyError(
          .corrupt, "trial \(index) of \(path) is missing (trial \(trial.number) follows); restore a backup")
      }
      return StudyRecord(definition: definition, header: header, trials: trials)
    }
  }

  /// Trials with their attempts, by number.
  ///
  /// - Parameter condition: what follows WHERE, on the column that is put for `#`; all trials without it.
  static func trials(
    _ db: Database, _ decoder: inout RowDecoder, where condition: String? = nil, arguments: StatementArguments = []
  ) throws -> [Trial] {
    func clause(_ column: String) -> String {
      condition.map { "WHERE " + $0.replacingOccurrences(of: "#", with: column) } ?? ""
    }
    var trials: [Trial] = []
    let rows = try Row.fetchCursor(
      db,
      sql: """
        SELECT number, key, kind, state, configuration, seed, provenance, result, failure, ended_event,
          needs_more_than_bytes, forgiven_attempts, hypervolume FROM trials \(clause("number")) ORDER BY number
        """, arguments: arguments)
    while let row = try rows.next() { trials.append(try decoder.trial(row)) }
    let attempts = try Row.fetchCursor(
      db,
      sql: """
        SELECT token, trial, ordinal, worker, state, lease_seconds, leased_time, started_time, ended_time,
          is_counted, result, failure, has_conflict FROM attempts \(clause("trial")) ORDER BY trial, ordinal
        """, arguments: arguments)
    // Both are in the order of the trials' numbers.
    var index = 0
    while let row = try attempts.next() {
      let attempt = try decoder.attempt(row)
      while index < trials.count, trials[index].number < attempt.trial { index += 1 }
      guard index < trials.count, trials[index].number == attempt.trial else {
        throw StudyError(
          .corrupt, "attempt \(attempt.token) of \(decoder.path) belongs to no trial; restore a backup")
      }
      if attempt.state == .succeeded { trials[index].result = attempt.result }
      trials[index].attempts.append(attempt)
    }
    return trials
  }

  func lastEventNumber() throws -> Int {
    try read { db in try Int.fetchOne(db, sql: "SELECT max(number) FROM events") ?? 0 }
  }

  func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try read { db in
      let decoder = RowDecoder(path: path)
      let rows = try Row.fetchCursor(
        db, sql: "SELECT number, time, kind FROM events WHERE number > ? ORDER BY number LIMIT ?",
        arguments: [number, limit])
      var events: [StudyEvent] = []
      while let row = try rows.next() {
        let kind = try decoder.value(StudyEvent.Kind.self, row[2], "event \(row[0] as Int)")
        events.append(StudyEvent(number: row[0], time: row[1], kind: kind))
      }
      return events
    }
  }

  func reports(trial: Int) throws -> [IntermediateReport] {
    try read { db in
      let decoder = RowDecoder(path: path)
      let rows = try Row.fetchCursor(
        db, sql: "SELECT token, step, objectives FROM reports WHERE trial = ? ORDER BY token, step", arguments: [trial])
      var reports: [IntermediateReport] = []
      while let row = try rows.next() {
        let values = try decoder.value([String: Double].self, row[2], "a report of trial \(trial)")
        reports.append(
          IntermediateReport(token: AttemptToken(row[0]), trial: trial, step: row[1], values: values))
      }
      return reports
    }
  }

  func warmStart(trial: Int) throws -> Data? {
    try read { db in try Data.fetchOne(db, sql: "SELECT data FROM warm_starts WHERE trial = ?", arguments: [trial]) }
  }
}

/// A read-only view of a study that another process may be running: never waits for it, never hurts it.
public final class StudyObserver: StudyReader {
  let reading: StudyReading

  /// Opens the database of `folder` for reading.
  ///
  /// - Throws: `notFound`, `newerSchema`, `wrongStudy`, or what SQLite says.
  public init(_ folder: StudyFolder) throws {
    guard folder.exists else {
      throw StudyError(.notFound, "there is no study in \(folder.url.path); `engram study list` shows what there is")
    }
    let path = folder.database.path
    reading = StudyReading(queue: try translating(path) { try Self.open(path) }, path: path)
    try translating(path) {
      let (found, isEmpty) = try reading.queue.read { db in (try Schema.version(db), try isEmptyDatabase(db)) }
      try Schema.check(found, isEmpty: isEmpty, path: path, current: Schema.current)
      guard found.version == Schema.current else {
        throw StudyError(
          .newerSchema,
          "\(path) has schema version \(found.version), this engram reads version \(Schema.current); "
            + "run `engram coordinator` or `engram search` once to bring it up to date (a backup is made)")
      }
    }
  }

  /// A read-only connection; on media that can not be written, where SQLite can not make its shared memory file, an
  /// immutable one.
  private static func open(_ path: String) throws -> DatabaseQueue {
    var configuration = Configuration()
    configuration.readonly = true
    configuration.busyMode = .timeout(5)
    do {
      let queue = try DatabaseQueue(path: path, configuration: configuration)
      _ = try queue.read { db in try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") }
      return queue
    } catch let error as DatabaseError where error.resultCode == .SQLITE_CANTOPEN {
      let escaped = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
      return try DatabaseQueue(path: "file:\(escaped)?immutable=1", configuration: configuration)
    }
  }

  public func load() throws -> StudyRecord { try reading.load() }
  public func events(after number: Int, limit: Int) throws -> [StudyEvent] {
    try reading.events(after: number, limit: limit)
  }
  public func reports(trial: Int) throws -> [IntermediateReport] { try reading.reports(trial: trial) }
  public func warmStart(trial: Int) throws -> Data? { try reading.warmStart(trial: trial) }

  /// The number of the last event: cheap, for polling.
  public func lastEventNumber() throws -> Int { try reading.lastEventNumber() }

  /// Copies the study into `file`, consistently, while it may be running.
  public func backup(to file: URL) throws {
    try translating(file.path) { try reading.queue.backup(to: DatabaseQueue(path: file.path)) }
  }
}

/// Whether a database file has no tables.
func isEmptyDatabase(_ db: Database) throws -> Bool {
  try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
}
