import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import Personalization
import Study

/// Whose memory a command talks to: a study's own adapter or one that was given.
struct MemorySource: ParsableArguments {
  @Option(help: "PEFT adapter directory (default: the study's own, runs/NAME/adapter).") var adapter: String?
  @Flag(help: "Take an adapter although it was trained on other weights.") var anyBase = false
  @OptionGroup var runs: RunsOptions

  /// The adapter on the experiment's model.
  func memory(_ experiment: MemoryExperiment, study: String) throws -> Adapter {
    let path = adapter ?? runs.folder.appendingPathComponent("\(study)/adapter").path
    guard adapter != nil || FileManager.default.fileExists(atPath: path) else {
      throw CommandError(
        .notFound,
        "\(path): the study '\(study)' has no adapter yet. Run its search to the end, or name one with --adapter")
    }
    guard let checkpoint = experiment.model.checkpoint else {
      throw CommandError(.unexpected, "the study's base has no checkpoint")
    }
    return try experiment.model.makeAdapter(AdapterFiles.read(path, for: checkpoint, anyBase: anyBase))
  }

  /// Refuses a user who is not among the study's.
  func check(user: String, in dataset: Dataset) throws {
    let known = dataset.users.map(\.id)
    guard !known.contains(user) else { return }
    let hint = NearestName.of(user, among: known.sorted()).map { ". Did you mean '\($0)'?" } ?? ""
    throw CommandError(.notFound, "no user '\(user)' among the study's \(known.count) users\(hint)")
  }
}
