import BayesianOptimization
import Foundation
import Processes
import Report
import Study
import StudyDatabase

/// What there is to say about a study, also about one that cannot be read: every step by itself.
extension Diagnosis {
  /// - Parameter status: set to what the process ends with, where the study cannot be read at all.
  static func check(_ name: String, in studies: StudiesFolder, _ status: inout ExitStatus?) -> [Finding] {
    let observer: StudyObserver
    do {
      observer = try studies.observer(name)
    } catch {
      let (found, text) = ExitStatus.describe(error)
      status = found
      return [Finding(subject: "study", isFine: false, found: text, remedy: "see the text")]
    }
    let folder = studies.study(name)
    var findings: [Finding] = []
    var record: StudyRecord?
    do {
      let loaded = try observer.load()
      record = loaded
      findings.append(describe(loaded))
    } catch {
      let (found, text) = ExitStatus.describe(error)
      status = found
      findings.append(Finding(subject: "study", isFine: false, found: text, remedy: folder.remedy))
    }
    findings.append(database(observer, folder))
    findings.append(rows(observer, folder))
    if let record { findings.append(history(observer, record, folder)) }
    if let looseness = folder.looseness {
      findings.append(
        Finding(
          subject: "privacy", isFine: true, found: looseness,
          remedy: "if that is not meant: chmod -R go= \(folder.url.path)"))
    }
    if let warning = folder.warning {
      findings.append(Finding(subject: "file system", isFine: false, found: warning, remedy: "use a local disk"))
    }
    return findings
  }

  /// Whether SQLite finds the file sound.
  private static func database(_ observer: StudyObserver, _ folder: StudyFolder) -> Finding {
    finding("database", fine: "sound", remedy: folder.remedy) { try observer.integrityProblems() }
  }

  /// Whether every row is as it was stored.
  private static func rows(_ observer: StudyObserver, _ folder: StudyFolder) -> Finding {
    let fine =
      observer.hasDigests
      ? "as they were stored: definition, trials, attempts, events, reports. A changed bit elsewhere (indexes, free pages) "
        + "changes no value"
      : "without digests (a study of an older engram): a changed value would not be noticed. They are added when it goes on"
    return finding(
      "rows", fine: fine,
      remedy: "do not trust what is named; \(folder.remedy)"
    ) { try observer.alterations() }
  }

  /// Whether events, trials and results agree.
  private static func history(_ observer: StudyObserver, _ record: StudyRecord, _ folder: StudyFolder) -> Finding {
    finding("history", fine: "consistent", remedy: "please report this with the study's folder") {
      try StoredStudy.checker(record.definition, path: folder.url.path).check(observer).map(\.description)
    }
  }

  private static func finding(
    _ subject: String, fine: String, remedy: String, _ problems: () throws -> [String]
  ) -> Finding {
    let found: [String]
    do { found = try problems() } catch { found = ["cannot be checked: \(ExitStatus.describe(error).1)"] }
    let more = found.count > 3 ? "; and \(found.count - 3) more" : ""
    return Finding(
      subject: subject, isFine: found.isEmpty,
      found: found.isEmpty ? fine : found.prefix(3).joined(separator: "; ") + more,
      remedy: found.isEmpty ? nil : remedy)
  }
}
