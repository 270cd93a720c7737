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
        // A frozen observer is inside of one already.
        if db.isInsideTransaction { return try body(db) }
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
        try Self.checkUnbegun(db, StudyFolder(database: path))
        throw StudyError(.notFound, "\(path) holds no study yet; run `engram search` to begin one")
      }
      let definition = try decoder.value(StudyDefinition.self, row[0], "the definition")
      let header = try decoder.value(StudyHeader.self, row[1], "the header")
      let trials = try Self.trials(db, &decoder)
      if let (index, trial) = trials.enumerated().first(where: { $0 != $1.number }) {
        throw StudyError(
          .corrupt,
          "trial \(index) of \(path) is missing (trial \(trial.number) follows); \(StudyFolder(database: path).remedy)")
      }
      let record = StudyRecord(definition: definition, header: header, trials: trials)
      if let problem = record.implausibility {
        throw StudyError(.corrupt, "\(path): \(problem); \(StudyFolder(database: path).remedy)")
      }
      return record
    }
  }

  /// Throws if a study without its row has content: that is no new study but a damaged one.
  static func checkUnbegun(_ db: Database, _ folder: StudyFolder) throws {
    let count = try Int.fetchOne(db, sql: "SELECT (SELECT count(*) FROM trials) + (SELECT count(*) FROM events)") ?? 0
    guard count > 0 else { return }
    throw StudyError(
      .corrupt,
      "\(folder.database.path) holds trials and events, but its definition and header are gone; \(folder.remedy)")
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
          .corrupt,
          "attempt \(attempt.token) of \(decoder.path) belongs to no trial; "
            + StudyFolder(database: decoder.path).remedy)
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

/// Whether a database file has no tables.
func isEmptyDatabase(_ db: Database) throws -> Bool {
  try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0
}
