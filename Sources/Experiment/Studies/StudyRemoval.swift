import Foundations
import Foundation
import Study
import StudyDatabase

extension StudiesFolder {
  /// Makes sure that nobody runs the study, and moves its folder to `.deleted/`: nothing is erased.
  ///
  /// - Returns: where it is now.
  package func moveAside(_ folder: StudyFolder) throws -> URL {
    let stamp = Int(Date().timeIntervalSince1970)
    let target = url.appendingPathComponent(".deleted/\(folder.url.lastPathComponent)-\(stamp)", isDirectory: true)
    // A study in use is refused here; a damaged one can be moved like any other.
    try SQLiteStudyStore.whileNobodyRuns(folder) {
      try PrivateFolder.make(target.deletingLastPathComponent())
      try FileManager.default.moveItem(at: folder.url, to: target)
    }
    return target
  }
}
