// Whether a configuration fits, by arithmetic, before anything of it is allocated.
//
//   P  numbers in all A and B          R  summed ranks of the branches (of one layer, of all layers)
//   t  tokens of the longest example, which cannot be cut: the smallest pass there is

/// Bytes that training an adapter takes beside the resident base, by what takes them: an estimate.
public struct TrainingMemory: Sendable, Hashable {
  /// A and B in 32 bits: 4 P.
  public var parameters: Int
  /// Gradients and AdamW's two moments: 12 P.
  public var optimizer: Int
  /// What products read instead, where activations are narrower than parameters: 2 P in bf16.
  public var copies: Int
  /// Activations of one pass over the longest example.
  public var activations: Int
  /// Logits and their gradient, a block at a time.
  public var logits: Int
  /// Whether the pass keeps the inputs of the layers only and computes the rest again.
  public var checkpointing: Bool

  /// All of the above.
  public var total: Int { parameters + optimizer + copies + activations + logits }

  /// - Parameters:
  ///   - modules: what trains.
  ///   - longest: t.
  ///   - room: bytes that are free; checkpointing is chosen where the pass does not fit otherwise. Nil: no limit.
  ///   - numberBytes: bytes of an activation's number.
  ///   - logits: see `Backend.lossBytes`.
  init(
    _ shape: DecoderShape, _ modules: [AdapterModule], longest: Int, options: TrainingOptions, room: Int?,
    numberBytes: Int, logits: Int
  ) {
    let count = modules.reduce(0) { $0 + $1.parameterCount }
    parameters = 4 * count
    optimizer = 12 * count
    copies = numberBytes < 4 ? numberBytes * count : 0
    self.logits = logits
    let lowest = modules.map(\.layer.sublayer).min() ?? .attention(shape.layers)
    let estimate = ActivationEstimate(shape, lowest: lowest, keepsInputs: false, numberBytes: numberBytes)
    // xAᵀ of each branch is kept like any activation, and the gradient of one is on its way.
    var ranks: [Int: Int] = [:]
    for module in modules { ranks[module.layer.layer, default: 0] += module.rank }
    let largest = ranks.values.max() ?? 0
    func pass(_ checkpointing: Bool) -> Int {
      let projected = (checkpointing ? largest : ranks.values.reduce(0, +)) + largest
      return longest * (estimate.bytes(checkpointing: checkpointing) + numberBytes * projected)
    }
    let others = parameters + optimizer + copies + logits
    switch options.activationCheckpointing {
    case .always: checkpointing = true
    case .never: checkpointing = false
    case .automatic: checkpointing = room.map { others + pass(false) > $0 } ?? false
    }
    activations = pass(checkpointing)
  }
}

extension TrainingMemory {
  /// What training the plan's adapter will take beside a base of this configuration, which need not be loaded.
  ///
  /// - Parameter longest: tokens of the longest example.
  /// - Throws: `AdapterError` where the plan does not fit the base.
  package static func estimate(
    _ plan: AdapterPlan, for model: ModelConfiguration, longest: Int, options: TrainingOptions = TrainingOptions(),
    backend: any Backend
  ) throws -> TrainingMemory {
    let shape = DecoderShape(model)
    let memory = backend.memory
    return TrainingMemory(
      shape, try plan.modules(for: model), longest: longest, options: options,
      room: memory.limit.map { $0 - memory.used }, numberBytes: backend.activationBytes,
      logits: backend.lossBytes(rows: longest, vocabulary: shape.vocabulary))
  }
}

extension CausalLanguageModel {
  /// What training the plan's adapter on these examples will take on this backend.
  ///
  /// Throws `AdapterError` where the plan does not fit the model.
  public func trainingMemory(
    _ plan: AdapterPlan, on examples: [TrainingExample], options: TrainingOptions = TrainingOptions()
  ) throws -> TrainingMemory {
    let longest = examples.map { PackedBatch.length(of: $0) }.max() ?? 1
    return try TrainingMemory.estimate(plan, for: configuration, longest: longest, options: options, backend: backend)
  }

  /// Refuses a plan that cannot be trained in the memory that is free now, before anything is allocated.
  ///
  /// Throws `BackendError` (`outOfMemory`) with the parts of the estimate; `AdapterError`.
  public func requireMemory(
    _ plan: AdapterPlan, on examples: [TrainingExample], options: TrainingOptions = TrainingOptions()
  ) throws {
    let memory = backend.memory
    guard let limit = memory.limit else { return }
    let need = try trainingMemory(plan, on: examples, options: options)
    let room = max(0, limit - memory.used)
    guard need.total > room else { return }
    func text(_ bytes: Int) -> String { "\((bytes + (1 << 19)) >> 20) MiB" }
    throw BackendError(
      .outOfMemory,
      "this configuration is too large for \(backend.name): it needs about \(text(need.total)) beside the base "
        + "(parameters \(text(need.parameters)), gradients and optimizer \(text(need.optimizer)), copies "
        + "\(text(need.copies)), activations of the longest example \(text(need.activations))"
        + "\(need.checkpointing ? " with checkpointing" : ""), logits \(text(need.logits))), and \(text(room)) are free; "
        + "use fewer or smaller LoRAs, shorter sequences or a device with more memory")
  }
}
