import Foundation
import GRDB
import Study

/// The rows of a step, each with its digest.
extension SQLiteStudyStore {
  static func put(_ header: StudyHeader, _ encoder: RowEncoder, _ db: Database) throws {
    let text = try encoder.text(header)
    let definition = try String.fetchOne(db.cachedStatement(sql: "SELECT definition FROM study")) ?? ""
    try db.cachedStatement(sql: "UPDATE study SET header = ?, digest = ?")
      .execute(arguments: [text, DigestedColumns.study.of([1, definition, text])])
  }

  static func put(
    _ transition: Transition, trialCount: Int, _ encoder: RowEncoder, _ db: Database
  ) throws {
    try put(transition.events, encoder, db)
    for trial in transition.trials {
      try put(trial, isNew: trial.number >= trialCount, changed: transition.changedAttempts, encoder, db)
    }
    for report in transition.reports {
      try execute(
        "INSERT OR REPLACE INTO reports (token, step, trial, objectives, digest) VALUES (?, ?, ?, ?, ?)",
        [report.token.rawValue, report.step, report.trial, try encoder.text(report.values)], .report, db)
    }
    for (trial, data) in transition.warmStarts {
      try execute(
        "INSERT OR REPLACE INTO warm_starts (trial, data, digest) VALUES (?, ?, ?)", [trial, data], .warmStart, db)
    }
  }

  /// Writes the values, which are all that `columns` names, and behind them their digest.
  private static func execute(
    _ sql: String, _ values: [(any DatabaseValueConvertible)?], _ columns: DigestedColumns, _ db: Database
  ) throws {
    try db.cachedStatement(sql: sql).execute(arguments: StatementArguments(values + [columns.of(values)]))
  }

  private static func put(_ events: [StudyEvent], _ encoder: RowEncoder, _ db: Database) throws {
    guard let first = events.first else { return }
    let insert = try db.cachedStatement(sql: "INSERT INTO events (number, time, kind, digest) VALUES (?, ?, ?, ?)")
    let before = try db.cachedStatement(sql: "SELECT digest FROM events WHERE number = ?")
    var digest = try Data.fetchOne(before, arguments: [first.number - 1]) ?? Data()
    for event in events {
      let text = try encoder.text(event.kind)
      digest = RowDigest.of((number: event.number, time: event.time, text: text), after: digest)
      try insert.execute(arguments: [event.number, event.time, text, digest])
    }
  }

  static func put(
    _ trial: Trial, isNew: Bool, changed: Set<AttemptToken>, _ encoder: RowEncoder, _ db: Database
  ) throws {
    // The result of the decisive attempt stands in the attempt's row; only attached trials have one of their own.
    let hasAttempt = trial.attempts.contains { $0.state == .succeeded }
    let result = hasAttempt ? nil : try encoder.text(ifPresent: trial.result)
    let failure = try encoder.text(ifPresent: trial.failure)
    let outcome: [(any DatabaseValueConvertible)?] = [
      trial.number, trial.state.rawValue, result, failure, trial.endedEvent, trial.needsMoreThanBytes,
      trial.forgivenAttempts, trial.hypervolume,
    ]
    let rest: [(any DatabaseValueConvertible)?] = outcome.dropFirst() + [DigestedColumns.outcome.of(outcome)]
    if isNew {
      let origin: [(any DatabaseValueConvertible)?] = [
        trial.number, trial.configurationKey, trial.kind.rawValue, try encoder.text(trial.configuration),
        Int64(bitPattern: trial.seed), try encoder.text(trial.provenance),
      ]
      try db.cachedStatement(
        sql: """
          INSERT INTO trials (number, key, kind, configuration, seed, provenance, origin_digest, state, result, failure,
            ended_event, needs_more_than_bytes, forgiven_attempts, hypervolume, digest)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          """
      ).execute(arguments: StatementArguments(origin + [DigestedColumns.origin.of(origin)] + rest))
    } else {
      try db.cachedStatement(
        sql: """
          UPDATE trials SET state = ?, result = ?, failure = ?, ended_event = ?, needs_more_than_bytes = ?,
            forgiven_attempts = ?, hypervolume = ?, digest = ? WHERE number = ?
          """
      ).execute(arguments: StatementArguments(rest + [trial.number]))
    }
    for attempt in trial.attempts where changed.contains(attempt.token) { try put(attempt, encoder, db) }
  }

  static func put(_ attempt: Attempt, _ encoder: RowEncoder, _ db: Database) throws {
    try execute(
      """
        INSERT INTO attempts (token, trial, ordinal, worker, state, lease_seconds, leased_time, started_time, ended_time,
          is_counted, result, failure, has_conflict, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (token) DO UPDATE SET worker = excluded.worker, state = excluded.state,
          started_time = excluded.started_time, ended_time = excluded.ended_time, is_counted = excluded.is_counted,
          result = excluded.result, failure = excluded.failure, has_conflict = excluded.has_conflict,
          digest = excluded.digest
          WHERE trial = excluded.trial
      """,
      [
        attempt.token.rawValue, attempt.trial, attempt.ordinal, try encoder.text(attempt.worker),
        attempt.state.rawValue, attempt.leaseSeconds, attempt.leasedTime, attempt.startedTime, attempt.endedTime,
        attempt.isCounted, try encoder.text(ifPresent: attempt.result), try encoder.text(ifPresent: attempt.failure),
        attempt.hasConflict,
      ], .attempt, db)
  }
}
