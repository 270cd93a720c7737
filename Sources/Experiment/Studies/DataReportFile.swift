import Foundation
import Foundations
import Personalization
import Report
import Study
import StudyDatabase

/// What a study's records are, kept beside its database so that `study show` can say it without base and data.
package enum DataReportFile {
  private static func file(_ folder: StudyFolder) -> URL { folder.url.appendingPathComponent("data.json") }

  /// Writes the report; counts and settings only, no text of users.
  package static func write(_ report: DataReport, to folder: StudyFolder) throws {
    try AtomicFile.write(JSON.pretty(report), to: file(folder))
  }

  /// The report, nil where there is none (another evaluator, or a study of an older version).
  package static func read(_ folder: StudyFolder) -> DataReport? {
    // A broken file costs a line of `study show`, not the study.
    (try? Data(contentsOf: file(folder))).flatMap { try? JSONDecoder().decode(DataReport.self, from: $0) }
  }
}

extension DataReport {
  /// Sizes, and what of the records is odd: a line each.
  package var lines: [String] { ["data: \(summary)"] + warnings.map { "warning: \($0)" } }

  /// Sizes in a line.
  package var summary: String {
    "\(users) users, \(historyItems) history items, \(samples) samples: \(train) train, \(validation) validation, \(test) test"
  }
}
