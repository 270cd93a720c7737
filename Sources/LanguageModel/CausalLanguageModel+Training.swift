/// What a training run reports after each optimizer step.
public struct TrainingProgress: Sendable, Hashable {
  /// Steps done.
  public var step: Int
  /// Steps in all.
  public var steps: Int
  /// Mean loss of the step's batch before its update, in nats.
  public var loss: Double
  /// Learning rate of the step.
  public var learningRate: Double
  /// Euclidean norm of all gradients, before clipping.
  public var gradientNorm: Double
  /// Tokens read in the step.
  public var tokens: Int
  /// Tokens predicted in the step.
  public var labels: Int
  /// The validation loss, where it was measured after this step.
  public var validationLoss: Double?
}

/// What surrounds a training run: validation, saving, cancellation.
public struct TrainingHooks {
  /// Examples whose loss is watched; empty = none.
  public var validation: [TrainingExample] = []
  /// Measured after every so many steps; nil = after every epoch.
  public var validationInterval: Int?
  /// Validations without improvement before the run ends early; nil = never.
  public var patience: Int?
  /// Whether the run ends with the parameters of the best validation rather than the last.
  public var keepsBest = false
  /// Called after every step.
  public var progress: (TrainingProgress) -> Void = { _ in }
  /// Asked before every step, besides `Task.isCancelled`.
  public var isCancelled: () -> Bool = { false }
  /// Steps from one call of `save` to the next; nil = it is never called.
  public var stateInterval: Int?
  /// Called after every `stateInterval` steps with what a continuation needs; what it throws ends the run.
  public var save: (TrainingState) throws -> Void = { _ in }
  /// Where an earlier run stopped.
  public var resumeFrom: TrainingState?

  /// No validation, nothing saved, never cancelled.
  public init() {}
}

/// How a training run ended.
public struct TrainingReport: Sendable {
  /// Why it ended.
  public enum End: String, Sendable {
    case finished
    /// No improvement for `patience` validations.
    case stoppedEarly
    /// Cancelled between two steps; `state` continues it.
    case cancelled
  }
  /// Why it ended.
  public var end: End
  /// Steps done, of `plannedSteps`.
  public var steps: Int
  /// Steps that the options ask for.
  public var plannedSteps: Int
  /// Loss of each step that this call made.
  public var losses: [Double]
  /// Validation losses in the order of their steps.
  public var validations: [ValidationPoint]
  /// What a continuation needs; only after cancellation.
  public var state: TrainingState?
}

extension CausalLanguageModel {
  /// Trains an adapter in place; `frozen` adapters take part but do not change.
  ///
  /// Throws `TrainingError` (`diverged`, `invalidExample`, …), `BackendError` (`outOfMemory`) and, where the base's own
  /// weights are not finite, `ModelFileError` (`malformed`); the adapter then keeps the values it had reached.
  @discardableResult
  public func train(
    _ adapter: Adapter, on examples: [TrainingExample], options: TrainingOptions = TrainingOptions(),
    frozen: [Adapter] = [], hooks: TrainingHooks = TrainingHooks()
  ) throws -> TrainingReport {
    try check(examples, options, hooks)
    try adapter.attachGradients()
    defer { adapter.dropGradients() }
    let adapters = frozen + [adapter]
    guard !adapter.modules.isEmpty else { return Self.nothingToDo }
    let run = try TrainingRun(
      decoder: decoder, arena: adapter.arena, adapters: adapters, examples: examples, options: options)
    return try blaming(adapters) { try drive(run, adapters, hooks) }
  }

  /// Trains all weights.
  ///
  /// The model must have been made with `trainable`.
  @discardableResult
  public func train(
    on examples: [TrainingExample], options: TrainingOptions, hooks: TrainingHooks = TrainingHooks()
  ) throws -> TrainingReport {
    try check(examples, options, hooks)
    guard let arena = decoder.weights.arena else {
      throw TrainingError(.invalidOptions, "this model was loaded frozen; load it as trainable to train its weights")
    }
    try decoder.weights.attachGradients()
    defer { decoder.weights.detachGradients() }
    let run = try TrainingRun(decoder: decoder, arena: arena, adapters: [], examples: examples, options: options)
    return try drive(run, [], hooks)
  }

  private static let nothingToDo = TrainingReport(
    end: .finished, steps: 0, plannedSteps: 0, losses: [], validations: [], state: nil)

  private func check(_ examples: [TrainingExample], _ options: TrainingOptions, _ hooks: TrainingHooks) throws {
    try options.validate()
    for (index, example) in examples.enumerated() {
      try example.validate(index: index, for: configuration, needsLabels: true)
    }
    for (index, example) in hooks.validation.enumerated() {
      try example.validate(index: index, for: configuration, needsLabels: false)
    }
  }

  private func drive(_ run: TrainingRun, _ adapters: [Adapter], _ hooks: TrainingHooks) throws -> TrainingReport {
    var watch = ValidationWatch(hooks)
    if let state = hooks.resumeFrom {
      try run.restore(state)
      watch.resume(state)
    }
    var losses: [Double] = []
    var end = TrainingReport.End.finished
    var state: TrainingState?
    func currentState() throws -> TrainingState {
      var result = try run.state()
      result.validations = watch.points
      result.bestValues = watch.bestValues
      return result
    }
    while !run.isFinished {
      if Task.isCancelled || hooks.isCancelled() {
        (end, state) = (.cancelled, try currentState())
        break
      }
      let result = try run.advance()
      losses.append(result.loss)
      var progress = TrainingProgress(
        step: run.step, steps: run.steps, loss: result.loss, learningRate: result.learningRate,
        gradientNorm: result.gradientNorm, tokens: result.tokens, labels: result.labels, validationLoss: nil)
      if watch.isDue(run) {
        let loss = try evaluate(hooks.validation, adapters: adapters).loss
        progress.validationLoss = loss
        try watch.record(loss, run)
      }
      hooks.progress(progress)
      if watch.isExhausted {
        end = .stoppedEarly
        break
      }
      if let interval = hooks.stateInterval, interval > 0, run.step % interval == 0, !run.isFinished {
        try hooks.save(try currentState())
      }
    }
    if end != .cancelled, let best = watch.bestValues { try run.setParameters(best) }
    try run.checkFinite()
    return TrainingReport(
      end: end, steps: run.step, plannedSteps: run.steps, losses: losses, validations: watch.points, state: state)
  }
}

/// Early stopping: remembers validation losses and, where wanted, the best parameters.
private struct ValidationWatch {
  private let hooks: TrainingHooks
  private(set) var points: [ValidationPoint] = []
  private(set) var bestValues: [Float]?

  init(_ hooks: TrainingHooks) { self.hooks = hooks }

  mutating func resume(_ state: TrainingState) {
    points = state.validations
    bestValues = state.bestValues
  }

  func isDue(_ run: TrainingRun) -> Bool {
    guard !hooks.validation.isEmpty else { return false }
    return run.isFinished || run.step % max(1, hooks.validationInterval ?? run.stepsPerEpoch) == 0
  }

  mutating func record(_ loss: Double, _ run: TrainingRun) throws {
    guard loss.isFinite else {
      throw TrainingError(
        .diverged, "the validation loss is \(loss) after step \(run.step); lower the learning rate", step: run.step)
    }
    let isBest = points.allSatisfy { loss < $0.loss }
    points.append(ValidationPoint(step: run.step, loss: loss))
    if isBest, hooks.keepsBest { bestValues = try run.parameters() }
  }

  /// Whether the last `patience` validations brought nothing.
  var isExhausted: Bool {
    guard let patience = hooks.patience, let best = points.indices.min(by: { points[$0].loss < points[$1].loss }) else {
      return false
    }
    return points.count - 1 - best >= max(1, patience)
  }
}
