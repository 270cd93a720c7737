import Foundation
import Foundations
import Study
import StudyDatabase

/// The folder of all studies, each with a folder of its own.
package struct StudiesFolder: Sendable {
  package let url: URL

  package init(_ url: URL) { self.url = url }

  /// `$ENGRAM_RUNS`, else `runs` in the working directory.
  package static var standard: StudiesFolder {
    let named = ProcessInfo.processInfo.environment["ENGRAM_RUNS"] ?? ""
    return StudiesFolder(
      URL(fileURLWithPath: named.isEmpty ? "runs" : named, isDirectory: true).standardizedFileURL)
  }

  /// The place of the study `name` in this folder, whether or not it is there.
  package func new(_ name: String) -> StudyFolder {
    StudyFolder(url.appendingPathComponent(name, isDirectory: true))
  }

  /// The folder of the study `name`: a name below the runs folder, or a path to a study's folder.
  package func study(_ name: String) -> StudyFolder {
    let direct = URL(fileURLWithPath: name, isDirectory: true)
    let named = new(name)
    return StudyFolder(direct).exists && (name.contains("/") || !named.exists) ? StudyFolder(direct) : named
  }

  /// An observer of the study `name`; the only one there is, when no name is given.
  package func observer(_ name: String?) throws -> StudyObserver {
    let chosen = try name ?? onlyStudy()
    let folder = study(chosen)
    guard folder.exists else {
      let known = names()
      let hint = NearestName.of(chosen, among: known).map { "Did you mean '\($0)'?" }
      throw CommandError(
        .notFound,
        "no study '\(chosen)' in \(url.path). "
          + (hint ?? (known.isEmpty ? "There are no studies yet" : "There are: \(known.joined(separator: ", "))")))
    }
    return try StudyObserver(folder)
  }

  /// Names of the studies in the folder, sorted.
  package func names() -> [String] {
    // No such folder: there are no studies.
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: url.path)) ?? []
    // Names with a dot are studies in the making, or moved aside.
    return entries.filter {
      !$0.hasPrefix(".") && new($0).exists
    }.sorted()
  }

  private func onlyStudy() throws -> String {
    let known = names()
    if known.count == 1 { return known[0] }
    throw CommandError(
      known.isEmpty ? .notFound : .usage,
      known.isEmpty
        ? "no studies in \(url.path). Start one with: engram search configs/quickstart.yaml --workers 2"
        : "which study? There are: \(known.joined(separator: ", "))")
  }
}
