import BayesianOptimization
import Foundation
import LanguageModel

extension MemoryExperiment {
  /// The paper's Table 6 in small, on the test part: base, instruction tuning alone, memory alone, both.
  ///
  /// Memory is trained for `training.finalEpochs`. Instruction tuning alone trains the LoRAs of θ on the samples of the
  /// training part and never sees a history: with stage 2's settings where stage 2 trains the memory, else with the
  /// memory's own rate and epochs (a fresh adapter's settings are too gentle for it to be a fair rival).
  package func comparison(
    _ configuration: Configuration, seed: UInt64, progress: @escaping (TrialProgress) -> Void = { _ in },
    isCancelled: @escaping () -> Bool = { false }
  ) throws -> ComparisonOutcome {
    var monitor = TrialMonitor(progress: progress, isCancelled: isCancelled)
    let part = prepared(.test)
    var rows: [Comparison.Row] = []
    func add(_ name: String, _ adapters: [Adapter], _ monitor: inout TrialMonitor) throws {
      let measured = try measure(.test, adapters: adapters, &monitor)
      rows.append(
        Comparison.Row(name: name, measurement: measured.measurement, reply: measured.replies.first ?? ""))
    }
    let memoryOptions = recipe.trainingOptions(
      seed: seed, epochs: recipe.training.finalEpochs ?? recipe.training.epochs)
    let stage2 = recipe.instructionOptions(seed: seed)
    let hasStage2 = recipe.instructionTuning.mode != .none
    let alone = recipe.instructionTuning.mode == .sameMemory ? stage2 : memoryOptions
    if !configuration.isNull {
      monitor.plan(
        memoryOptions.steps(examples: memoryExamples.count)
          + alone.steps(examples: instructionExamples.count)
          + (hasStage2 ? stage2.steps(examples: instructionExamples.count) : 0))
    }
    try add("base", [], &monitor)
    var export: ((URL) throws -> Void)?
    if !configuration.isNull {
      let tuned = try model.makeAdapter(recipe.plan(configuration), seed: seed)
      _ = try train(tuned, instructionExamples, alone, phase: .instructionTuning, &monitor)
      try add("instructionTuning", [tuned], &monitor)
      let memory = try model.makeAdapter(recipe.plan(configuration), seed: seed)
      _ = try train(memory, memoryExamples, memoryOptions, phase: .memory, &monitor)
      try add("memory", [memory], &monitor)
      var adapters = [memory]
      if hasStage2 {
        adapters = try instructionTune(memory, seed: seed, &monitor)
        try add("full", adapters, &monitor)
      }
      if let last = rows.last?.measurement {
        export = exporter(
          adapters, configuration, seed, epochs: memoryOptions.epochs, measured: last, on: .test)
      }
    }
    let shown = part.samples.first
    return ComparisonOutcome(
      comparison: Comparison(
        rows: rows, sampleID: shown?.id ?? "", user: shown?.user ?? "", query: shown?.query ?? "",
        reference: shown?.response ?? ""),
      exportAdapter: export)
  }
}

/// The side-by-side at the end of a search.
package struct Comparison: Sendable, Codable, Equatable {
  /// One row of the table.
  package struct Row: Sendable, Codable, Equatable {
    /// `base`, `instructionTuning`, `memory` or `full`.
    package var name: String
    package var measurement: ReplyMeasurement
    /// Its reply to `query`.
    package var reply: String

    package init(name: String, measurement: ReplyMeasurement, reply: String) {
      self.name = name
      self.measurement = measurement
      self.reply = reply
    }
  }
  package var rows: [Row]
  /// The sample whose replies are shown: the first of the test part.
  package var sampleID: String
  package var user: String
  package var query: String
  package var reference: String

  package init(rows: [Row], sampleID: String, user: String, query: String, reference: String) {
    self.rows = rows
    self.sampleID = sampleID
    self.user = user
    self.query = query
    self.reference = reference
  }
}

/// A comparison with the adapter that it ended with.
package struct ComparisonOutcome {
  package var comparison: Comparison
  /// Writes the winner (memory and stage 2) as a PEFT directory; nil for the base.
  package var exportAdapter: ((URL) throws -> Void)?
}
