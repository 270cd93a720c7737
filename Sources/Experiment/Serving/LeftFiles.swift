import Foundation
import LanguageModel
import Study
import StudyDatabase
import Worker

/// What local workers have left in their state folders: files of results that the study counts are taken over, folders of
/// trials that have ended are removed.
package enum LeftFiles {
  /// - Parameter state: the study, whose coordinator and workers have ended.
  /// - Returns: what the operator should read.
  package static func take(_ folder: StudyFolder, _ state: StudyState, keep: StudyConfiguration.ArtifactsSection.Keep)
    -> [String]
  {
    let workers = folder.url.appendingPathComponent("workers", isDirectory: true)
    // No such folder: no local worker has ever run.
    let names = (try? FileManager.default.contentsOfDirectory(atPath: workers.path)) ?? []
    let counted = keep == .none ? [] : keep == .front ? state.front : Array(state.trials.indices)
    let wanted = Set(counted.compactMap { state.trials[$0].result?.artifacts }.joined().map(\.sha256))
    // What a failed trial has left may show why.
    let ended = Set(state.trials.filter { $0.state.isTerminal && $0.state != .failed }.map(\.number))
    let target = folder.url.appendingPathComponent("artifacts", isDirectory: true)
    var notes: [String] = []
    for name in names.sorted() {
      guard let left = WorkerLeftovers(stateFolder: workers.appendingPathComponent(name)) else { continue }
      defer { left.release() }
      var isComplete = true
      for artifact in left.artifacts where wanted.contains(artifact.reference.sha256) {
        do {
          if try take(artifact, to: target) { notes.append("took over \(artifact.reference.name) from worker \(name)") }
        } catch {
          isComplete = false
          notes.append("warning: \(artifact.url.path) could not be taken over: \(FileProblem.reason(error))")
        }
      }
      if isComplete { _ = left.removeFolders(of: ended) }
    }
    return notes
  }

  /// Copies an artifact under its digest; false where it is there already, or is no longer what it was.
  private static func take(_ artifact: LocalArtifact, to folder: URL) throws -> Bool {
    let manager = FileManager.default
    let target = folder.appendingPathComponent(artifact.reference.sha256)
    guard !manager.fileExists(atPath: target.path), manager.fileExists(atPath: artifact.url.path),
      try LocalArtifact(name: artifact.reference.name, url: artifact.url).reference == artifact.reference
    else { return false }
    try manager.createDirectory(at: folder, withIntermediateDirectories: true)
    let partial = folder.appendingPathComponent(artifact.reference.sha256 + ".local")
    // Left by a process that was killed while it copied.
    try? manager.removeItem(at: partial)
    try manager.copyItem(at: artifact.url, to: partial)
    try manager.setAttributes([.posixPermissions: 0o600], ofItemAtPath: partial.path)
    try manager.moveItem(at: partial, to: target)
    return true
  }
}
