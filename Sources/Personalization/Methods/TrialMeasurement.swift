/// What was measured of one model on one part of the data.
public struct ReplyMeasurement: Sendable, Codable, Equatable {
  /// Cross-entropy per response token (natural logarithm).
  public var loss: Estimate
  /// F1 of ROUGE-1, a fraction.
  public var rouge1: Estimate
  /// F1 of ROUGE-L, a fraction.
  public var rougeL: Estimate
  /// Persona-F1, a fraction.
  public var personaF1: Estimate
  /// Fact recall, a fraction; nil where no sample asks for a profile value.
  public var factRecall: Estimate?

  public init(
    loss: Estimate, rouge1: Estimate, rougeL: Estimate, personaF1: Estimate, factRecall: Estimate?
  ) {
    self.loss = loss
    self.rouge1 = rouge1
    self.rougeL = rougeL
    self.personaF1 = personaF1
    self.factRecall = factRecall
  }

  /// Means by objective name: `loss`, `rouge1`, `rougeL`, `personaF1`, `factRecall`.
  public var values: [String: Double] { estimates.mapValues(\.mean) }
  /// Standard errors by objective name; those of a single sample are not known.
  public var standardErrors: [String: Double] { estimates.compactMapValues(\.standardError) }

  private var estimates: [String: Estimate] {
    var all = ["loss": loss, "rouge1": rouge1, "rougeL": rougeL, "personaF1": personaF1]
    all["factRecall"] = factRecall
    return all
  }
}

/// Where a running trial stands.
public struct TrialProgress: Sendable, Codable, Equatable {
  /// What a trial does, in order.
  public enum Phase: String, Sendable, Codable, CaseIterable { case memory, instructionTuning, loss, replies }
  public var phase: Phase
  /// Share of the whole trial that is done, in [0, 1].
  public var fraction: Double
  /// Optimiser steps taken so far, all phases together.
  public var step: Int
  /// Optimiser steps of the whole trial.
  public var steps: Int
  /// Numbers to report by name (`trainingLoss`, `gradientNorm`, `learningRate`, `tokensPerSecond`).
  public var values: [String: Double]

  public init(phase: Phase, fraction: Double, step: Int, steps: Int, values: [String: Double]) {
    self.phase = phase
    self.fraction = fraction
    self.step = step
    self.steps = steps
    self.values = values
  }
}

/// A trial was told to stop and did.
public struct TrialCancelled: Error, CustomStringConvertible {
  public init() {}
  public var description: String { "the trial was cancelled" }
}
