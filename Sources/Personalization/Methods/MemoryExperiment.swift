import Foundation

/// Trains and measures memories on one base and one dataset; the base stays resident between trials.
///
/// Not for concurrent use: one trial at a time.
public final class MemoryExperiment {
  public let dataset: Dataset
  public let split: DatasetSplit
  public let recipe: MemoryRecipe
  /// Layers of the base, the length of α.
  public var layerCount: Int { 0 }

  /// Loads the base (a Hugging Face directory) and prepares the data.
  ///
  /// - Parameters:
  ///   - threads: processor threads for training; results do not depend on it.
  /// - Throws: `DatasetError`, or what the loader of the base throws.
  public init(
    base: URL, dataset: Dataset, split policy: SplitPolicy, recipe: MemoryRecipe, threads: Int = 1
  ) throws {
    self.dataset = dataset
    split = try dataset.split(policy)
    self.recipe = recipe
  }

  /// Stage 1 with θ, then validation loss and scores of greedy replies; NULL measures the base.
  ///
  /// - Parameters:
  ///   - seed: of the LoRA's initial values and the order of the examples.
  ///   - progress: called a few times a second at most.
  ///   - isCancelled: asked at least once per step; true ends the trial with `TrialCancelled`.
  public func evaluate(
    _ configuration: MemoryConfiguration, seed: UInt64, progress: (TrialProgress) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> TrialOutcome {
    throw TrialCancelled()
  }

  /// The paper's Table 6 in small, on the test part: base, instruction tuning alone, memory alone, both.
  public func comparison(
    _ configuration: MemoryConfiguration, seed: UInt64, progress: (TrialProgress) -> Void = { _ in },
    isCancelled: () -> Bool = { false }
  ) throws -> Comparison {
    throw TrialCancelled()
  }
}

/// What a trial came to.
public struct TrialOutcome {
  public var measurement: Measurement
  public var trainableParameters: Int
  /// Wall-clock seconds of training alone.
  public var trainingSeconds: Double
  /// Wall-clock seconds of the whole trial.
  public var seconds: Double
  public var steps: Int
  /// Mean training loss of the last tenth of the steps; nil for the base.
  public var finalTrainingLoss: Double?
  /// Writes the memory as a PEFT directory; nil for the base.
  public var exportAdapter: ((URL) throws -> Void)?
}

/// The side-by-side at the end of a search.
public struct Comparison: Sendable, Codable {
  /// One row of the table.
  public struct Row: Sendable, Codable {
    /// `base`, `instructionTuning`, `memory` or `full`.
    public var name: String
    public var measurement: Measurement
    /// Its reply to `query`.
    public var reply: String
  }
  public var rows: [Row]
  /// The sample whose replies are shown.
  public var sampleID: String
  public var user: String
  public var query: String
  public var reference: String
}
