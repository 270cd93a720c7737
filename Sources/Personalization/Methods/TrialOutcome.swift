import Foundation

/// What a trial came to.
public struct TrialOutcome {
  public var measurement: ReplyMeasurement
  /// One reply per sample of the validation part.
  public var replies: [String]
  public var trainableParameters: Int
  /// Wall-clock seconds of training alone.
  public var trainingSeconds: Double
  /// Wall-clock seconds of the whole trial.
  public var seconds: Double
  public var steps: Int
  /// Mean loss of every step of stage 1; empty for the base.
  public var trainingLosses: [Double] = []
  /// Mean training loss of the last tenth of the steps; nil for the base.
  public var finalTrainingLoss: Double?
  /// Writes the memory as a PEFT directory; nil for the base.
  public var exportAdapter: ((URL) throws -> Void)?

  /// Names of all numbers that can be an objective; `factRecall` where a sample asks for a fact.
  public static let objectiveNames = [
    "loss", "rouge1", "rougeL", "personaF1", "factRecall", "trainableParameters", "trainingSeconds", "seconds",
  ]
  /// Objectives that are fractions in [0, 1].
  public static let fractions: Set = ["rouge1", "rougeL", "personaF1", "factRecall"]

  /// Every number that can be an objective, by name: those of the measurement, `trainableParameters`, `trainingSeconds`
  /// and `seconds`.
  public var objectives: [String: Double] {
    measurement.values.merging(
      [
        "trainableParameters": Double(trainableParameters), "trainingSeconds": trainingSeconds, "seconds": seconds,
      ]) { $1 }
  }
}
