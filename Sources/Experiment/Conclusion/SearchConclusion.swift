import Foundation
import Personalization
import Report
import Study
import StudyDatabase
import Worker

/// The end of a search: front, the chosen memory beside the base and instruction tuning alone, plots, adapter.
package struct SearchConclusion {
  private let prepared: PreparedStudy
  private let folder: StudyFolder
  private let studyPath: String
  /// Nil: by the rule for the study's objectives.
  private let choice: StudySummary.Choice?
  private let device: String
  private let progress: any ProgressDisplay

  /// - Parameter device: where the winner is trained once more: where the search has trained it.
  package init(
    _ prepared: PreparedStudy, folder: StudyFolder, studyPath: String, choice: StudySummary.Choice?, device: String,
    progress: any ProgressDisplay
  ) {
    self.device = device
    self.prepared = prepared
    self.folder = folder
    self.studyPath = studyPath
    self.choice = choice
    self.progress = progress
  }

  /// Says everything, line by line; trains the winner once more for the comparison where that is not done yet.
  ///
  /// - Parameter say: takes what is for standard output as soon as it is known.
  package func present(
    reason: StopReason?, isCancelled: @escaping () -> Bool, say: (String) -> Void
  ) throws {
    let observer = try StudyObserver(folder)
    let summary = StudySummary(try observer.load())
    let plots = try StudyPlots.write(summary, to: folder.url.appendingPathComponent("plots", isDirectory: true))
    say("\n\(summary.ending(reason))\n\nPareto front (validation)\n\(summary.frontTable().text)")
    let choice = choice ?? .standard(summary.objectives)
    guard let chosen = summary.chosen(choice) else {
      throw CommandError(.unexpected, summary.noneCompleted(logs: folder.url.path + "/logs"))
    }
    // Nothing is trained for a comparison before the cause is found; the front so far is printed above.
    if reason == .failing { throw CommandError(.unexpected, summary.failing) }
    for warning in summary.warnings { say("\n\(warning)") }
    let reason = choice.explanation(summary.objectives)
    var talk: String?
    if let resources = prepared.resources {
      let comparison = try WinnerComparison(
        prepared, resources, folder: folder, device: device, progress: progress
      ).make(of: chosen, isCancelled: isCancelled)
      say("\nTest split, trial \(chosen.number) (\(chosen.configuration)), chosen by \(reason)")
      say(ComparisonTable.table(comparison).text)
      say("\n\(ComparisonTable.replies(comparison))")
      talk = try question(comparison)
    } else {
      say("\nchosen by \(reason): trial \(chosen.number) (\(chosen.configuration))")
    }
    say("")
    for plot in plots { say("plot      \(plot.path)") }
    if prepared.resources != nil { say("adapter   \(folder.adapter.path)  (PEFT)") }
    say("study     \(folder.url.path)")
    say("go on     raise study.budget in \(studyPath) and run the same command again")
    if let talk { say("talk      \(talk)") }
  }

  /// The command that asks the query of the comparison again.
  private func question(_ comparison: Comparison) throws -> String {
    let line = try JSON.line(["user": comparison.user, "query": comparison.query])
    let isDefault = folder.url.standardizedFileURL.deletingLastPathComponent().path == StudiesFolder.standard.url.path
    let runs = isDefault ? "" : " --runs \(folder.url.deletingLastPathComponent().path)"
    let quoted = line.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    return "echo '\(quoted)' | \(ProgramName.shown) memory generate \(studyPath)\(runs)"
  }
}
