import Foundation
import GRDB
import Study

/// What can be read of a damaged study: row by row, each by its number, so that one broken page costs its own rows only.
package struct StudySalvage {
  /// What the first row says; nil where it cannot be read.
  package private(set) var definition: StudyDefinition?
  package private(set) var header: StudyHeader?
  package private(set) var trials: [Trial] = []
  package private(set) var events: [StudyEvent] = []
  package private(set) var reports: [IntermediateReport] = []
  /// What could not be read, in words.
  package private(set) var problems: [String] = []

  /// How many numbers in a row may be missing before the rest is given up.
  static let patience = 1000

  /// Whether nothing of use was found.
  package var isEmpty: Bool { trials.isEmpty && events.isEmpty }

  /// How much there is of everything.
  package var counts: String { "\(trials.count) trials, \(events.count) events, \(reports.count) reports" }

  /// Reads all that answers.
  package init(_ observer: StudyObserver) {
    let reading = observer.reading
    var decoder = RowDecoder(path: reading.path)
    do {
      try reading.read { db in
        guard let row = try Row.fetchOne(db, sql: "SELECT definition, header FROM study") else { return }
        definition = try decoder.value(StudyDefinition.self, row[0], "the definition")
        header = try decoder.value(StudyHeader.self, row[1], "the header")
      }
    } catch {
      problems.append("the study's row")
    }
    var found: [Int: Trial] = [:]
    rows(reading, "trials", "number", Self.trialColumns, from: 0) { row in
      let trial = try decoder.trial(row)
      found[trial.number] = trial
    }
    rows(reading, "attempts", "token", Self.attemptColumns, from: 1) { row in
      let attempt = try decoder.attempt(row)
      if attempt.state == .succeeded { found[attempt.trial]?.result = attempt.result }
      found[attempt.trial]?.attempts.append(attempt)
    }
    trials = found.values.sorted { $0.number < $1.number }
    var events: [StudyEvent] = []
    rows(reading, "events", "number", "number, time, kind", from: 1) { row in
      let kind = try decoder.value(StudyEvent.Kind.self, row[2], "an event")
      events.append(StudyEvent(number: row[0], time: row[1], kind: kind))
    }
    self.events = events
    for trial in trials {
      do { reports += try reading.reports(trial: trial.number) } catch {
        problems.append("reports of trial \(trial.number)")
      }
    }
  }

  private static let trialColumns = """
    number, key, kind, state, configuration, seed, provenance, result, failure, ended_event, needs_more_than_bytes,
    forgiven_attempts, hypervolume
    """
  private static let attemptColumns = """
    token, trial, ordinal, worker, state, lease_seconds, leased_time, started_time, ended_time, is_counted, result,
    failure, has_conflict
    """

  /// Reads the rows of a table by their numbers, as far as there are some.
  private mutating func rows(
    _ reading: StudyReading, _ table: String, _ key: String, _ columns: String, from first: Int,
    _ take: (Row) throws -> Void
  ) {
    // Without a last number the rows end where none was found for long.
    let last = try? reading.read { db in try Int.fetchOne(db, sql: "SELECT max(\(key)) FROM \(table)") }
    var broken = 0
    var missing = 0
    var number = first
    while missing < Self.patience, number <= (last.flatMap(\.self) ?? .max) {
      do {
        let isThere = try reading.read { db in
          guard
            let row = try Row.fetchOne(db, sql: "SELECT \(columns) FROM \(table) WHERE \(key) = ?", arguments: [number])
          else { return false }
          try take(row)
          return true
        }
        missing = isThere ? 0 : missing + 1
      } catch {
        broken += 1
        missing += 1
      }
      number += 1
    }
    if broken > 0 { problems.append(broken >= Self.patience ? "most of \(table)" : "\(broken) of \(table)") }
  }

  /// Writes the lines; `sink` takes them one after the other.
  package func write(to sink: (Data) throws -> Void) throws {
    let head = StudyArchive.SalvageLine.Head(definition: definition, header: header, problems: problems)
    try sink(StudyArchive.SalvageLine(salvage: head).data())
    for trial in trials { try sink(StudyArchive.SalvageLine(trial: trial).data()) }
    for event in events { try sink(StudyArchive.SalvageLine(event: event).data()) }
    for report in reports { try sink(StudyArchive.SalvageLine(report: report).data()) }
  }
}
