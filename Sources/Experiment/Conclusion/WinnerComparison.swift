import Foundations
import Foundation
import LanguageModel
import Personalization
import Report
import Study
import StudyDatabase
import Worker

/// The chosen memory, trained once more, beside the base and instruction tuning alone; kept in the study's folder, so that
/// asking again costs nothing.
struct WinnerComparison {
  private struct Kept: Codable {
    var trial: Int
    var comparison: Comparison
  }

  private let prepared: PreparedStudy
  private let resources: StudyResources
  private let folder: StudyFolder
  private let device: String
  private let progress: any ProgressDisplay

  init(
    _ prepared: PreparedStudy, _ resources: StudyResources, folder: StudyFolder, device: String,
    progress: any ProgressDisplay
  ) {
    self.prepared = prepared
    self.resources = resources
    self.folder = folder
    self.device = device
    self.progress = progress
  }

  private var keptFile: URL { folder.url.appendingPathComponent("comparison.json") }

  /// What an earlier search has kept; a file that is missing, broken or of an older version is made again.
  private var kept: Kept? {
    (try? Data(contentsOf: keptFile)).flatMap { try? JSONDecoder().decode(Kept.self, from: $0) }
  }

  /// The comparison that was kept of this trial, else a new one.
  func make(of trial: Trial, isCancelled: @escaping () -> Bool) throws -> Comparison {
    if let kept = kept, kept.trial == trial.number, FileManager.default.fileExists(atPath: folder.adapter.path) {
      return kept.comparison
    }
    progress.log("\ntraining trial \(trial.number) once more for the comparison on the test split")
    let experiment = try prepared.experiment(resources, device: device, precision: nil, threads: nil)
    experiment.provenance.entries["study"] = prepared.configuration.name
    experiment.provenance.entries["trial"] = String(trial.number)
    let outcome = try experiment.comparison(
      trial.configuration, seed: trial.seed,
      progress: { [progress] state in
        let percent = Int(exactly: (state.fraction * 100).rounded(.down)) ?? 0
        progress.update(done: state.fraction, total: 1, text: "comparison: \(state.phase.rawValue), \(percent) %")
      }, isCancelled: isCancelled)
    progress.finish()
    if let export = outcome.exportAdapter { try replaceAdapter(export) }
    let new = Kept(trial: trial.number, comparison: outcome.comparison)
    try AtomicFile.write(JSON.pretty(new), to: keptFile)
    return outcome.comparison
  }

  /// Puts a new adapter in the place of the old one once it is complete.
  private func replaceAdapter(_ export: (URL) throws -> Void) throws {
    let manager = FileManager.default
    let partial = folder.url.appendingPathComponent("adapter.partial", isDirectory: true)
    // Of a search that was killed meanwhile.
    if manager.fileExists(atPath: partial.path) { try manager.removeItem(at: partial) }
    try export(partial)
    if manager.fileExists(atPath: folder.adapter.path) { try manager.removeItem(at: folder.adapter) }
    try manager.moveItem(at: partial, to: folder.adapter)
  }
}

extension StudyFolder {
  /// Where the chosen memory is exported to.
  package var adapter: URL { url.appendingPathComponent("adapter", isDirectory: true) }
}
