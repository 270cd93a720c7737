/// What was measured of one model on one part of the data.
package struct ReplyMeasurement: Sendable, Codable, Equatable {
  /// Cross-entropy per response token (natural logarithm).
  package var loss: Estimate
  /// F1 of ROUGE-1, a fraction.
  package var rouge1: Estimate
  /// F1 of ROUGE-L, a fraction.
  package var rougeL: Estimate
  /// Persona-F1, a fraction.
  package var personaF1: Estimate
  /// Fact recall, a fraction; nil where no sample asks for a profile value.
  package var factRecall: Estimate?

  package init(
    loss: Estimate, rouge1: Estimate, rougeL: Estimate, personaF1: Estimate, factRecall: Estimate?
  ) {
    self.loss = loss
    self.rouge1 = rouge1
    self.rougeL = rougeL
    self.personaF1 = personaF1
    self.factRecall = factRecall
  }

  /// Means by objective name: `loss`, `rouge1`, `rougeL`, `personaF1`, `factRecall`.
  package var values: [String: Double] { estimates.mapValues(\.mean) }
  /// Standard errors by objective name; those of a single sample are not known.
  package var standardErrors: [String: Double] { estimates.compactMapValues(\.standardError) }

  private var estimates: [String: Estimate] {
    var all = ["loss": loss, "rouge1": rouge1, "rougeL": rougeL, "personaF1": personaF1]
    all["factRecall"] = factRecall
    return all
  }
}

/// Where a running trial stands.
package struct TrialProgress: Sendable, Codable, Equatable {
  /// What a trial does, in order.
  package enum Phase: String, Sendable, Codable, CaseIterable { case memory, instructionTuning, loss, replies }
  package var phase: Phase
  /// Share of the whole trial that is done, in [0, 1].
  package var fraction: Double
  /// Optimiser steps taken so far, all phases together.
  package var step: Int
  /// Optimiser steps of the whole trial.
  package var steps: Int
  /// Numbers to report by name (`trainingLoss`, `gradientNorm`, `learningRate`, `tokensPerSecond`).
  package var values: [String: Double]

  package init(phase: Phase, fraction: Double, step: Int, steps: Int, values: [String: Double]) {
    self.phase = phase
    self.fraction = fraction
    self.step = step
    self.steps = steps
    self.values = values
  }
}

/// A trial was told to stop and did.
package struct TrialCancelled: Error, CustomStringConvertible {
  package init() {}
  package var description: String { "the trial was cancelled" }
}
