import ArgumentParser
import Console
import Experiment
import Foundation
import Foundations
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
    let own = runs.folder.new(study).adapter.path
    guard adapter != nil || FileManager.default.fileExists(atPath: own) else {
      throw CommandError(
        .notFound,
        "\(own): the study '\(study)' has no adapter yet. Run its search to the end, or name one with --adapter")
    }
    return try AdapterFiles.memory(adapter ?? own, on: experiment, anyBase: anyBase)
  }
}
