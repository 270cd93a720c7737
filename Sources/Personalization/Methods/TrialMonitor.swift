import Foundations
import LanguageModel

/// Turns steps into progress reports, a few a second, and cancellation into an error.
struct TrialMonitor {
  let progress: (TrialProgress) -> Void
  let isCancelled: () -> Bool
  /// Optimiser steps taken.
  private(set) var step = 0
  private var steps = 0
  private let clock = ContinuousClock()
  private var lastReport: ContinuousClock.Instant?
  private var lastStep: ContinuousClock.Instant?
  private var fraction = 0.0

  /// Training is most of a trial; the rest is measuring.
  private static let trainingShare = 0.85
  private static let interval = Duration.milliseconds(250)

  init(progress: @escaping (TrialProgress) -> Void, isCancelled: @escaping () -> Bool) {
    self.progress = progress
    self.isCancelled = isCancelled
  }

  /// Announces how many optimiser steps the trial has in all.
  mutating func plan(_ steps: Int) { self.steps = steps }

  /// Counts steps that an earlier run of the trial did.
  mutating func skip(_ count: Int) { step += count }

  mutating func report(_ training: TrainingProgress, phase: TrialProgress.Phase) {
    step += 1
    let now = clock.now
    let seconds = lastStep.map { (now - $0).seconds }
    lastStep = now
    fraction = max(fraction, Self.trainingShare * Double(step) / Double(max(steps, step)))
    let isDue = lastReport.map { now - $0 >= Self.interval } ?? true
    guard isDue || training.step == training.steps else { return }
    lastReport = now
    var values = [
      "trainingLoss": training.loss, "gradientNorm": training.gradientNorm, "learningRate": training.learningRate,
    ]
    if let seconds, seconds > 0 { values["tokensPerSecond"] = Double(training.tokens) / seconds }
    progress(TrialProgress(phase: phase, fraction: fraction, step: step, steps: max(steps, step), values: values))
  }

  mutating func enter(_ phase: TrialProgress.Phase) throws {
    guard !isCancelled() else { throw TrialCancelled() }
    fraction = min(0.99, max(fraction, phase == .loss ? Self.trainingShare : Self.trainingShare + 0.05))
    progress(TrialProgress(phase: phase, fraction: fraction, step: step, steps: max(steps, step), values: [:]))
  }
}

/// A monitor that escaping hooks share for the length of one training run, on one thread.
final class SharedMonitor {
  var monitor: TrialMonitor
  init(_ monitor: TrialMonitor) { self.monitor = monitor }
}
