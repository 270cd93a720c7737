import Foundation
import LanguageModel
import MemoryRecipe

/// What is known about how a memory was made: travels in the adapter's sidecar as plain strings and becomes its model card.
///
/// Hashes, counts and settings only, never text of users.
package struct MemoryProvenance: Sendable, Equatable {
  /// Objective, mean and standard error, in the order of the card.
  package struct Measured: Sendable, Equatable {
    package var name: String
    package var value: Double
    package var standardError: Double?
  }

  /// Entries by key; unknown keys are kept.
  package var entries: [String: String]

  package init(_ entries: [String: String] = [:]) { self.entries = entries }

  /// Records what was measured, and on which part.
  mutating func record(_ measurement: ReplyMeasurement, part: SplitPart, samples: Int) {
    entries["measuredOn"] = part.rawValue
    entries["measuredSamples"] = String(samples)
    for (name, value) in measurement.values { entries["objective.\(name)"] = Self.text(value) }
    for (name, value) in measurement.standardErrors { entries["standardError.\(name)"] = Self.text(value) }
  }

  /// Records the recipe's settings.
  mutating func record(_ recipe: TrialRecipe, epochs: Int) {
    entries["epochs"] = String(epochs)
    entries["learningRate"] = Self.text(recipe.training.learningRate)
    entries["batch"] = String(recipe.training.batch)
    entries["instructionTuning"] = recipe.instructionTuning.mode.rawValue
  }

  /// Records what of the records did not fit.
  mutating func record(_ cuts: DataCuts) {
    for (index, sentence) in cuts.sentences.enumerated() { entries["cut.\(index)"] = sentence }
  }

  /// What was cut, in sentences.
  package var cuts: [String] { (0..<3).compactMap { entries["cut.\($0)"] } }

  /// What was measured, in a fixed order.
  package var measured: [Measured] {
    ["loss", "rouge1", "rougeL", "personaF1", "factRecall"].compactMap { name in
      guard let value = entries["objective.\(name)"].flatMap(Double.init) else { return nil }
      return Measured(name: name, value: value, standardError: entries["standardError.\(name)"].flatMap(Double.init))
    }
  }

  static func text(_ value: Double) -> String { String(format: "%.6g", value) }
}
