import Foundation

/// What a trial came to.
package struct TrialOutcome {
  package var measurement: ReplyMeasurement
  /// One reply per sample of the validation part.
  package var replies: [String]
  package var trainableParameters: Int
  /// Wall-clock seconds of training alone.
  package var trainingSeconds: Double
  /// Wall-clock seconds of the whole trial.
  package var seconds: Double
  package var steps: Int
  /// Mean loss of every step of stage 1; empty for the base.
  package var trainingLosses: [Double] = []
  /// Mean training loss of the last tenth of the steps; nil for the base.
  package var finalTrainingLoss: Double?
  /// Writes the memory as a PEFT directory; nil for the base.
  package var exportAdapter: ((URL) throws -> Void)?

  /// Names of all numbers that can be an objective; `factRecall` where a sample asks for a fact.
  package static let objectiveNames = [
    "loss", "rouge1", "rougeL", "personaF1", "factRecall", "trainableParameters", "trainingSeconds", "seconds",
  ]

  /// Every number that can be an objective, by name: those of the measurement, `trainableParameters`, `trainingSeconds`
  /// and `seconds`.
  package var objectives: [String: Double] {
    measurement.values.merging(
      [
        "trainableParameters": Double(trainableParameters), "trainingSeconds": trainingSeconds, "seconds": seconds,
      ]) { $1 }
  }
}
