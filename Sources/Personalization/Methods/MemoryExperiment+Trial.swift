import BayesianOptimization
import Foundation
import Foundations
import LanguageModel

extension MemoryExperiment {
  /// Stage 1 with θ, then validation loss and scores of greedy replies; NULL measures the base.
  ///
  /// - Parameters:
  ///   - seed: of the LoRA's initial values and the order of the examples.
  ///   - checkpoint: a folder in which a cancelled or killed trial leaves its state, and from which the same trial goes
  ///     on; removed when the trial is done.
  ///   - progress: called a few times a second at most.
  ///   - isCancelled: asked at least once per step; true ends the trial with `TrialCancelled`.
  /// - Throws: `TrialCancelled`, `TrainingError` (`diverged`), `BackendError` (`outOfMemory`), `AdapterError`.
  package func evaluate(
    _ configuration: Configuration, seed: UInt64, checkpoint: URL? = nil,
    progress: @escaping (TrialProgress) -> Void = { _ in }, isCancelled: @escaping () -> Bool = { false }
  ) throws -> TrialOutcome {
    let clock = ContinuousClock()
    let start = clock.now
    var monitor = TrialMonitor(progress: progress, isCancelled: isCancelled)
    guard !configuration.isNull else {
      let measured = try measure(.validation, adapters: [], &monitor)
      return TrialOutcome(
        measurement: measured.measurement, replies: measured.replies, trainableParameters: 0, trainingSeconds: 0,
        seconds: (clock.now - start).seconds, steps: 0, finalTrainingLoss: nil, exportAdapter: nil)
    }
    let stage2 = recipe.instructionTuning.duringSearch && recipe.instructionTuning.mode != .none
    let options = recipe.trainingOptions(seed: seed)
    monitor.plan(
      options.steps(examples: memoryExamples.count)
        + (stage2 ? recipe.instructionOptions(seed: seed).steps(examples: instructionExamples.count) : 0))
    // A configuration that cannot fit ends here: nothing was allocated, nothing trained.
    try model.requireMemory(recipe.plan(configuration), on: memoryExamples, options: options)
    let memory = try model.makeAdapter(recipe.plan(configuration), seed: seed)
    let report = try train(memory, memoryExamples, options, phase: .memory, checkpoint: checkpoint, &monitor)
    var adapters = [memory]
    if stage2 { adapters = try instructionTune(memory, seed: seed, &monitor) }
    let trained = clock.now
    let measured = try measure(.validation, adapters: adapters, &monitor)
    if let checkpoint { try? FileManager.default.removeItem(at: checkpoint) }
    let tail = report.losses.suffix(max(1, report.losses.count / 10))
    return TrialOutcome(
      measurement: measured.measurement, replies: measured.replies,
      trainableParameters: memory.parameterCount, trainingSeconds: (trained - start).seconds,
      seconds: (clock.now - start).seconds, steps: monitor.step, trainingLosses: report.losses,
      finalTrainingLoss: tail.isEmpty ? nil : tail.reduce(0, +) / Double(tail.count),
      exportAdapter: exporter(
        adapters, configuration, seed, epochs: options.epochs, measured: measured.measurement, on: .validation))
  }

  // MARK: Training

  func train(
    _ adapter: Adapter, _ examples: [TrainingExample], _ options: TrainingOptions, frozen: [Adapter] = [],
    phase: TrialProgress.Phase, checkpoint: URL? = nil, _ monitor: inout TrialMonitor
  ) throws -> TrainingReport {
    var hooks = TrainingHooks()
    // The hooks escape, the monitor does not: they share this copy.
    let shared = SharedMonitor(monitor)
    defer { monitor = shared.monitor }
    hooks.progress = { shared.monitor.report($0, phase: phase) }
    hooks.isCancelled = monitor.isCancelled
    if let checkpoint {
      hooks.stateInterval = 100
      hooks.save = { try $0.write(to: checkpoint) }
      // A state of another trial or another version is of no use; the trial then begins anew.
      if let state = try? TrainingState(contentsOf: checkpoint), state.options == options,
        state.examples == examples.count, state.step < state.steps
      {
        hooks.resumeFrom = state
        shared.monitor.skip(state.step)
      }
    }
    let report = try model.train(adapter, on: examples, options: options, frozen: frozen, hooks: hooks)
    if report.end == .cancelled {
      if let checkpoint, let state = report.state { try state.write(to: checkpoint) }
      throw TrialCancelled()
    }
    return report
  }

  /// Stage 2 after a memory: which adapters make the model now.
  func instructionTune(_ memory: Adapter, seed: UInt64, _ monitor: inout TrialMonitor) throws -> [Adapter] {
    let options = recipe.instructionOptions(seed: seed)
    switch recipe.instructionTuning.mode {
    case .none: return [memory]
    case .sameMemory:
      _ = try train(memory, instructionExamples, options, phase: .instructionTuning, &monitor)
      return [memory]
    case .freshAdapter:
      guard let plan = recipe.freshPlan(layerCount: layerCount) else { return [memory] }
      let fresh = try model.makeAdapter(plan, seed: seed)
      _ = try train(fresh, instructionExamples, options, frozen: [memory], phase: .instructionTuning, &monitor)
      return [memory, fresh]
    }
  }

  // MARK: Measuring

  func measure(
    _ part: SplitPart, adapters: [Adapter], _ monitor: inout TrialMonitor
  ) throws -> (measurement: ReplyMeasurement, replies: [String]) {
    let part = prepared(part)
    try monitor.enter(.loss)
    let losses = try model.evaluate(part.examples, adapters: adapters).examples
    var replies: [String] = []
    let batch = max(1, recipe.evaluation.batch)
    let options = GenerationOptions(
      maximumNewTokens: recipe.evaluation.maxNewTokens, stopIDs: Set(builder.tokenizer.specialIDs.eos.map(Int.init)),
      batchSize: batch)
    for start in stride(from: 0, to: part.prompts.count, by: batch) {
      try monitor.enter(.replies)
      let prompts = Array(part.prompts[start..<min(start + batch, part.prompts.count)])
      replies += try model.generate(prompts, options: options, adapters: adapters).map {
        try builder.reply($0.ids.map(Int32.init))
      }
    }
    return (part.scorer.measurement(losses: losses.map { ($0.sum, $0.tokens) }, replies: replies), replies)
  }

  func exporter(
    _ adapters: [Adapter], _ configuration: Configuration, _ seed: UInt64, epochs: Int,
    measured: ReplyMeasurement, on part: SplitPart
  ) -> (URL) throws -> Void {
    var provenance = provenance
    provenance.record(recipe, epochs: epochs)
    provenance.record(data.cuts)
    provenance.record(measured, part: part, samples: prepared(part).samples.count)
    if case .memory(let layers, let count, let rank) = configuration.content {
      provenance.entries["layers"] = layers.map(String.init).joined(separator: ",")
      provenance.entries["count"] = String(count)
      provenance.entries["rank"] = String(rank)
    }
    provenance.entries.merge([
      "seed": String(seed), "users": String(dataset.users.count), "samples": String(dataset.samples.count),
      "backend": model.backend.name,
    ]) { $1 }
    return { [model, entries = provenance.entries] directory in
      let modules = try adapters.flatMap { try $0.peft(baseModel: nil).modules }
      try PEFTAdapter(baseModel: model.checkpoint?.publicName, modules: modules, provenance: entries)
        .write(to: directory, for: model.configuration)
    }
  }
}
