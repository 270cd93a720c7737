import Foundation

/// A whole study as JSON Lines: for moving, keeping and reading it with other programs.
///
/// The first line is `{"head": …}` (format, version, definition, header, counts), then one line per trial (with its
/// attempts), event, intermediate report and warm start, and last `{"end": …}` with the number of lines and the SHA-256
/// of all bytes before it. Everything comes back as it was, every number bit by bit.
package struct StudyArchive: Hashable, Sendable {
  /// Version of the format that this program writes.
  package static let version = 1

  /// Definition, header and trials.
  package var record: StudyRecord
  /// The whole event log.
  package var events: [StudyEvent]
  /// Intermediate reports, by trial, attempt and step.
  package var reports: [IntermediateReport]
  /// Warm starts, by trial.
  package var warmStarts: [Int: Data]

  package init(
    record: StudyRecord, events: [StudyEvent], reports: [IntermediateReport] = [], warmStarts: [Int: Data] = [:]
  ) {
    self.record = record
    self.events = events
    self.reports = reports
    self.warmStarts = warmStarts
  }

  /// Everything a study holds.
  ///
  /// Nobody may write to `store` meanwhile (take a copy of a study in use first).
  package init(_ store: any StudyReader) throws {
    record = try store.load()
    events = try store.events(after: 0, limit: .max)
    reports = []
    warmStarts = [:]
    for trial in record.trials {
      reports += try store.reports(trial: trial.number)
      if let data = try store.warmStart(trial: trial.number) { warmStarts[trial.number] = data }
    }
  }

  /// The one step that makes an empty store hold this study.
  package var transition: Transition {
    Transition(
      events: events, header: record.header, trials: record.trials,
      changedAttempts: Set(record.trials.flatMap(\.attempts).map(\.token)), reports: reports, warmStarts: warmStarts)
  }

  // MARK: - Lines

  struct Head: Codable {
    struct Counts: Codable, Equatable, CustomStringConvertible {
      var trials: Int
      var events: Int
      var reports: Int
      var warmStarts: Int
      var description: String {
        "\(trials) trials, \(events) events, \(reports) reports and \(warmStarts) warm starts"
      }
    }
    static let format = "engram study"
    var format = Self.format
    var version = StudyArchive.version
    var definition: StudyDefinition
    var header: StudyHeader
    var counts: Counts
  }

  struct WarmStart: Codable {
    var trial: Int
    /// Base 64 in the text.
    var data: Data
  }

  struct End: Codable {
    var lines: Int
    var sha256: String
  }

  /// One line: exactly one of these.
  struct Line: Codable {
    var head: Head?
    var trial: Trial?
    var event: StudyEvent?
    var report: IntermediateReport?
    var warmStart: WarmStart?
    var end: End?
  }

  static func encoder() -> JSONEncoder {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return encoder
  }

  /// How much there is of everything.
  var counts: Head.Counts {
    Head.Counts(
      trials: record.trials.count, events: events.count, reports: reports.count, warmStarts: warmStarts.count)
  }
}
