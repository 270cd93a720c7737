import Foundation
import GRDB
import Study

/// What has changed in a study since an earlier look: enough to bring that look up to date.
package struct StudyChanges: Hashable, Sendable {
  /// The header as it is now; `header.lastEvent` is where the next look begins.
  package var header: StudyHeader
  /// New and changed trials, complete with their attempts, by number.
  package var trials: [Trial]
}

extension StudyObserver {
  /// The trials that events after number `event` concern, and the header: the work is that of the changes, not of the
  /// study.
  ///
  /// Every change of a trial comes with an event that names it, so `record.apply(changes(since: record.header.lastEvent))`
  /// gives what ``StudyObserver/load()`` would. Made for looking again and again; keep the observer open in between.
  ///
  /// - Throws: ``StudyError``.
  package func changes(since event: Int) throws -> StudyChanges {
    try reading.read { db in
      var decoder = RowDecoder(path: reading.path)
      guard let text = try String.fetchOne(db.cachedStatement(sql: "SELECT header FROM study")) else {
        throw StudyError(.notFound, "\(reading.path) holds no study yet; run `engram search` to begin one")
      }
      let header = try decoder.value(StudyHeader.self, text, "the header")
      guard header.lastEvent > event else { return StudyChanges(header: header, trials: []) }
      let numbers = try Int.fetchAll(db.cachedStatement(sql: Self.changedTrials), arguments: [event])
      let list = "[\(numbers.map { "\($0)" }.joined(separator: ","))]"
      let trials = try StudyReading.trials(
        db, &decoder, where: "# IN (SELECT value FROM json_each(?))", arguments: [list])
      return StudyChanges(header: header, trials: trials)
    }
  }

  /// An event's text is an object with one key, its kind; what it concerns stands inside.
  private static let changedTrials = """
    SELECT DISTINCT json_extract(entry.value, '$.trial') AS trial FROM events, json_each(events.kind) AS entry
    WHERE events.number > ? AND trial IS NOT NULL
    """
}

extension StudyRecord {
  /// Brings an earlier look up to date.
  package mutating func apply(_ changes: StudyChanges) {
    header = changes.header
    for trial in changes.trials {
      // Numbers are gapless: a new trial is the next one.
      if trial.number < trials.count { trials[trial.number] = trial } else { trials.append(trial) }
    }
  }
}
