import ArgumentParser
import Experiment
import Foundation
import Study
import StudyDatabase

/// Where studies live: `--runs DIR`, else `ENGRAM_RUNS`, else `runs`.
package struct RunsOptions: ParsableArguments {
  @Option(help: "Folder of all studies (default: $ENGRAM_RUNS, else ./runs).") package var runs: String?

  package init() {}

  /// The folder without `--runs`.
  package static var standard: URL {
    let named = ProcessInfo.processInfo.environment["ENGRAM_RUNS"] ?? ""
    return URL(fileURLWithPath: named.isEmpty ? "runs" : named, isDirectory: true).standardizedFileURL
  }

  package var folder: URL { runs.map { URL(fileURLWithPath: $0, isDirectory: true) } ?? Self.standard }

  /// The folder of the study `name`: a name below the runs folder, or a path to a study's folder.
  package func study(_ name: String) -> StudyFolder {
    let direct = URL(fileURLWithPath: name, isDirectory: true)
    let named = StudyFolder(folder.appendingPathComponent(name, isDirectory: true))
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
        "no study '\(chosen)' in \(self.folder.path). "
          + (hint ?? (known.isEmpty ? "There are no studies yet" : "There are: \(known.joined(separator: ", "))")))
    }
    return try StudyObserver(folder)
  }

  /// Names of the studies in the folder, sorted.
  package func names() -> [String] {
    let entries = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    // Names with a dot are studies in the making, or moved aside.
    return entries.filter {
      !$0.hasPrefix(".") && StudyFolder(folder.appendingPathComponent($0, isDirectory: true)).exists
    }.sorted()
  }

  private func onlyStudy() throws -> String {
    let known = names()
    if known.count == 1 { return known[0] }
    throw CommandError(
      known.isEmpty ? .notFound : .usage,
      known.isEmpty
        ? "no studies in \(folder.path). Start one with: engram search configs/quickstart.yaml --workers 2"
        : "which study? There are: \(known.joined(separator: ", "))")
  }
}
