import Processes
import Report
import StudyDatabase

/// What is installed and works on this machine, and whether a study is sound: `engram doctor`.
package struct Diagnosis: Sendable {
  package struct Finding: Encodable, Sendable {
    package var subject: String
    package var isFine: Bool
    package var found: String
    /// What to do; nil when nothing.
    package var remedy: String?
  }

  package private(set) var findings: [Finding]
  /// What the process ends with; nil where nothing is wrong.
  package private(set) var status: ExitStatus?

  /// - Parameter study: a study to check too.
  package init(of study: String?, in studies: StudiesFolder) {
    findings = [
      Self.program(), Self.system(), Self.blas(), Self.processor(), Self.gpu(), Self.cuda(), Self.zeroMQ(),
      Finding(subject: "SQLite", isFine: true, found: SQLiteStudyStore.libraryVersion, remedy: nil), Self.memory(),
      Self.disk(studies), Self.limits(), Self.studies(studies), Self.keys(), Self.settings(),
    ]
    var unreadable: ExitStatus?
    if let study { findings += Self.check(study, in: studies, &unreadable) }
    if findings.contains(where: { !$0.isFine }) { status = unreadable ?? .unexpected }
  }

  package var table: TextTable {
    var table = TextTable([("", .left), ("check", .left), ("found", .left), ("what to do", .left)])
    for finding in findings {
      table.add([finding.isFine ? "ok" : "!!", finding.subject, finding.found, finding.remedy ?? ""])
    }
    return table
  }
}
