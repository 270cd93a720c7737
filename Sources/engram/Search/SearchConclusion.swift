import BayesianOptimization
import Console
import Experiment
import Foundation
import Foundations
import LanguageModel
import Personalization
import Report
import Study
import StudyDatabase
import Worker

/// The end of a search: front, the chosen memory beside the base and instruction tuning alone, plots, adapter.
struct SearchConclusion {
  private let prepared: PreparedStudy
  private let folder: StudyFolder
  private let studyPath: String
  /// Nil: by the rule for the study's objectives.
  private let choice: StudySummary.Choice?
  private let device: String
  private let progress: ProgressLine

  /// - Parameter device: where the winner is trained once more: where the search has trained it.
  init(
    _ prepared: PreparedStudy, folder: StudyFolder, studyPath: String, choice: StudySummary.Choice?, device: String,
    progress: ProgressLine
  ) {
    self.device = device
    self.prepared = prepared
    self.folder = folder
    self.studyPath = studyPath
    self.choice = choice
    self.progress = progress
  }

  /// Kept in the study's folder, so that asking again costs nothing.
  private struct Kept: Codable {
    var trial: Int
    var comparison: Comparison
  }

  private var adapter: URL { folder.url.appendingPathComponent("adapter", isDirectory: true) }
  private var keptFile: URL { folder.url.appendingPathComponent("comparison.json") }

  /// Prints everything; trains the winner once more for the comparison where that is not done yet.
  func present(isCancelled: @escaping () -> Bool, reason: StopReason?) throws {
    let observer = try StudyObserver(folder)
    let summary = StudySummary(try observer.load())
    let plots = try StudyPlots.write(summary, to: folder.url.appendingPathComponent("plots", isDirectory: true))
    Terminal.print("\n\(Self.ending(summary, reason))\n\nPareto front (validation)\n\(summary.frontTable().text)")
    let choice = choice ?? .standard(summary.objectives)
    guard let chosen = summary.chosen(choice) else {
      throw CommandError(.unexpected, noneCompleted(summary))
    }
    // Nothing is trained for a comparison before the cause is found; the front so far is printed above.
    if reason == .failing { throw CommandError(.unexpected, Self.failing(summary)) }
    for warning in summary.warnings { Terminal.print("\n\(warning)") }
    let reason = choice.explanation(summary.objectives)
    var talk: String?
    if let resources = prepared.resources {
      let comparison = try comparison(of: chosen, resources, isCancelled: isCancelled)
      Terminal.print("\nTest split, trial \(chosen.number) (\(chosen.configuration)), chosen by \(reason)")
      Terminal.print(ComparisonTable.table(comparison).text)
      Terminal.print("\n\(ComparisonTable.replies(comparison))")
      talk = try question(comparison)
    } else {
      Terminal.print("\nchosen by \(reason): trial \(chosen.number) (\(chosen.configuration))")
    }
    Terminal.print("")
    for plot in plots { Terminal.print("plot      \(plot.path)") }
    if prepared.resources != nil { Terminal.print("adapter   \(adapter.path)  (PEFT)") }
    Terminal.print("study     \(folder.url.path)")
    Terminal.print("go on     raise study.budget in \(studyPath) and run the same command again")
    if let talk { Terminal.print("talk      \(talk)") }
  }

  /// The command that asks the query of the comparison again.
  private func question(_ comparison: Comparison) throws -> String {
    let line = try JSON.line(["user": comparison.user, "query": comparison.query])
    let isDefault = folder.url.standardizedFileURL.deletingLastPathComponent().path == RunsOptions.standard.path
    let runs = isDefault ? "" : " --runs \(folder.url.deletingLastPathComponent().path)"
    let quoted = line.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''")
    return "echo '\(quoted)' | \(ProgramName.shown) memory generate \(studyPath)\(runs)"
  }

  /// How a study ended, in a line.
  static func ending(_ summary: StudySummary, _ reason: StopReason?) -> String {
    let name = summary.record.definition.name
    let why =
      switch reason ?? summary.record.header.stopReason {
      case .budget: "the budget is spent"
      case .time: "the time limit is reached"
      case .spaceExhausted: "every configuration of the space is known"
      case .converged: "the hypervolume has stopped growing"
      case .failing: "too many trials failed in a row"
      case nil: "stopped"
      }
    let hypervolume = summary.hypervolumes.last.map { ", hypervolume \(PlotNumber.short($0))" } ?? ""
    let failed = summary.count(.failed, .diverged, .infeasible)
    let lost = failed > 0 ? ", \(failed) of them without a result" : ""
    return "\(name): \(summary.finished) trials finished\(lost) (\(why))\(hypervolume)"
  }

  /// What to say of a study that ended because its trials failed one after the other.
  static func failing(_ summary: StudySummary) -> String {
    let name = summary.record.definition.name
    return "the study has ended because too many trials failed in a row" + lastFailure(summary)
      + ". A larger budget would not help. Find the cause (engram trial list \(name), engram worker list \(name)), then: "
      + "engram trial retry --failed --study \(name), and the same command again"
  }

  /// The newest failure of a study in words, after a semicolon.
  private static func lastFailure(_ summary: StudySummary) -> String {
    let failures = summary.record.trials.flatMap(\.attempts).filter { $0.failure != nil }
    guard let last = failures.max(by: { ($0.endedTime ?? 0) < ($1.endedTime ?? 0) }), let failure = last.failure else {
      return ""
    }
    let words = failure.logLines.suffix(2).joined(separator: " | ")
    // A program's and a worker's words: one line, so that they forge none.
    return PrintableText.line(
      "; the last failure (trial \(last.trial), worker \(last.worker.name)): \(failure.failureClass): "
        + failure.message + (words.isEmpty ? "" : " (\(words))"))
  }

  private func noneCompleted(_ summary: StudySummary) -> String {
    let name = summary.record.definition.name
    var text = "no trial was completed"
    text += Self.lastFailure(summary)
    return text + ". Find the cause (engram trial list \(name), engram trial show N, \(folder.url.path)/logs), then: "
      + "engram trial retry --failed --study \(name), and the same command again"
  }

  private func comparison(
    of trial: Trial, _ resources: StudyResources, isCancelled: @escaping () -> Bool
  ) throws -> Comparison {
    if let data = try? Data(contentsOf: keptFile), let kept = try? JSONDecoder().decode(Kept.self, from: data),
      kept.trial == trial.number, FileManager.default.fileExists(atPath: adapter.path)
    {
      return kept.comparison
    }
    progress.log("\ntraining trial \(trial.number) once more for the comparison on the test split")
    let experiment = try resources.experiment(
      injectTestUserHistory: prepared.configuration.data.injectTestUserHistory,
      backend: try Devices.backend(device, precision: prepared.configuration.base.precision, threads: nil))
    experiment.provenance.entries["study"] = prepared.configuration.name
    experiment.provenance.entries["trial"] = String(trial.number)
    experiment.provenance.entries["madeBy"] = "engram \(BuildInformation.version)"
    let outcome = try experiment.comparison(
      MemoryEvaluator.memory(trial.configuration, layers: experiment.layerCount), seed: trial.seed,
      progress: { [progress] state in
        let percent = Int(exactly: (state.fraction * 100).rounded(.down)) ?? 0
        progress.update(done: state.fraction, total: 1, text: "comparison: \(state.phase.rawValue), \(percent) %")
      }, isCancelled: isCancelled)
    progress.finish()
    if let export = outcome.exportAdapter {
      let partial = folder.url.appendingPathComponent("adapter.partial", isDirectory: true)
      try? FileManager.default.removeItem(at: partial)
      try export(partial)
      try? FileManager.default.removeItem(at: adapter)
      try FileManager.default.moveItem(at: partial, to: adapter)
    }
    let kept = Kept(trial: trial.number, comparison: outcome.comparison)
    try AtomicFile.write(JSON.pretty(kept), to: keptFile)
    return outcome.comparison
  }
}

/// The paper's Table 6 in small.
enum ComparisonTable {
  private static let titles = [
    "base": "base, nothing added", "instructionTuning": "instruction tuning alone", "memory": "memory alone",
    "full": "memory + instruction tuning",
  ]

  static func table(_ comparison: Comparison) -> TextTable {
    var table = TextTable([
      ("method", .left), ("loss", .right), ("ROUGE-1 %", .right), ("ROUGE-L %", .right), ("P-F1 %", .right),
      ("fact recall %", .right),
    ])
    for row in comparison.rows {
      let values = row.measurement.values
      table.add(
        [titles[row.name] ?? row.name]
          + ["loss", "rouge1", "rougeL", "personaF1", "factRecall"].map { name in
            values[name].map { StudySummary.value($0, name: name) } ?? "-"
          })
    }
    return table
  }

  static func replies(_ comparison: Comparison) -> String {
    var lines = ["\(comparison.user) is asked: \(comparison.query)", "  right answer: \(comparison.reference)"]
    for row in comparison.rows {
      lines.append("  \(titles[row.name] ?? row.name): \(row.reply.trimmingCharacters(in: .whitespacesAndNewlines))")
    }
    return lines.joined(separator: "\n")
  }
}
