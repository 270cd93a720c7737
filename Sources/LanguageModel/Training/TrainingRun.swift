/// One training run: AdamW over an arena of parameters (an adapter's, or all weights).
///
/// A pure function of the examples, options, adapters' values and backend: the batches of step s follow from the seed
/// alone, so that a run continued from `state()` gives the same bits as one that was never interrupted.
final class TrainingRun {
  let decoder: Decoder
  let options: TrainingOptions
  let steps: Int
  /// Steps done.
  private(set) var step = 0

  private let arena: ParameterArena
  private let examples: [TrainingExample]
  private let branches: BranchTable
  private let lengths: [Int]
  private let cache: PrefixCache?
  private let backend: any Backend
  private let firstMoment: Tensor
  private let secondMoment: Tensor
  private let norm: Tensor
  /// How batches go through the model now; it changes when memory is refused.
  private(set) var plan: PassPlan
  private let longest: Int
  private var epochBatches: (epoch: Int, batches: [[Int]])?

  /// What one step did.
  struct StepResult {
    let loss: Double
    let learningRate: Double
    let gradientNorm: Double
    let tokens: Int
    let labels: Int
  }

  init(
    decoder: Decoder, arena: ParameterArena, adapters: [Adapter], examples: [TrainingExample], options: TrainingOptions
  ) throws {
    self.decoder = decoder
    self.options = options
    self.arena = arena
    self.examples = examples
    backend = decoder.backend
    branches = BranchTable(adapters, layers: decoder.shape.layers)
    lengths = examples.map { PackedBatch.length(of: $0) }
    steps = options.steps(examples: examples.count)
    firstMoment = try backend.makeTensor(rows: 1, columns: arena.count, kind: .parameter)
    secondMoment = try backend.makeTensor(rows: 1, columns: arena.count, kind: .parameter)
    norm = try backend.makeTensor(rows: 1, columns: 1, kind: .parameter)
    try backend.fill(firstMoment, with: 0)
    try backend.fill(secondMoment, with: 0)
    let longest = lengths.max() ?? 1
    self.longest = longest
    let memory = backend.memory
    plan = PassPlan(
      ActivationEstimate(
        decoder.shape,
        lowest: decoder.trainsWeights
          ? decoder.sublayers.lowerBound : branches.lowestTrainable ?? decoder.sublayers.upperBound,
        keepsInputs: decoder.trainsWeights, numberBytes: backend.activationBytes), options: options, longest: longest,
      available: memory.limit.map { $0 - memory.used }, preferred: backend.preferredPassBytes)
    let epochs = examples.isEmpty ? 0 : Double(steps * options.batchSize) / Double(examples.count)
    if !decoder.trainsWeights, let lowest = branches.lowestTrainable, lowest > decoder.sublayers.lowerBound, epochs > 1,
      options.prefixCacheBytes > 0
    {
      cache = PrefixCache(decoder: decoder, sublayer: lowest, budget: options.prefixCacheBytes)
    } else {
      cache = nil
    }
  }

  var isFinished: Bool { step >= steps }
  /// Batches of one epoch.
  var stepsPerEpoch: Int { (examples.count + options.batchSize - 1) / options.batchSize }

  /// One optimizer step: gradients over the batch, clipping, update.
  func advance() throws -> StepResult {
    let numbers = batch(at: step)
    let labels = numbers.reduce(0) { $0 + examples[$1].labelCount }
    guard let gradients = arena.gradients else { preconditionFailure("nothing is set to train") }
    let losses = try computeGradients(numbers, labels, gradients)
    try backend.norm(of: gradients, into: norm)
    // Only now is the backend waited for: once per step, whatever the number of passes.
    let gradientNorm = Double(try backend.download(norm)[0])
    var loss = 0.0
    for tensor in losses { for value in try backend.download(tensor) { loss += Double(value) } }
    loss /= Double(labels)
    guard loss.isFinite, gradientNorm.isFinite else {
      throw TrainingError(
        .diverged,
        "training diverged at step \(step) of \(steps): loss \(loss), gradient norm \(gradientNorm); lower the "
          + "learning rate or the rank", step: step)
    }
    let rate = options.learningRate(step: step, of: steps)
    try update(gradients, rate)
    step += 1
    return StepResult(
      loss: loss, learningRate: rate, gradientNorm: gradientNorm, tokens: numbers.reduce(0) { $0 + lengths[$1] },
      labels: labels)
  }

  /// Example numbers of a step.
  private func batch(at step: Int) -> [Int] {
    let epoch = step / stepsPerEpoch
    if epochBatches?.epoch != epoch { epochBatches = (epoch, options.batches(epoch: epoch, lengths: lengths)) }
    return epochBatches?.batches[step % stepsPerEpoch] ?? []
  }

  /// Gradients of the mean loss over a batch; the result is the losses of each pass.
  ///
  /// Where memory is refused, the batch begins again with less of it, as long as there is a way.
  private func computeGradients(_ numbers: [Int], _ labels: Int, _ gradients: Tensor) throws -> [Tensor] {
    while true {
      do {
        try backend.fill(gradients, with: 0)
        return try plan.parts(lengths: numbers.map { lengths[$0] }).map { part in
          try losses(part.map { numbers[$0] }, labels)
        }
      } catch let error as BackendError where error.code == .outOfMemory {
        backend.releaseCachedMemory()
        if cache?.close() == true { continue }
        guard let smaller = plan.smaller(longest: longest, options: options) else { throw error }
        plan = smaller
      }
    }
  }

  private func losses(_ numbers: [Int], _ labels: Int) throws -> Tensor {
    let batch = PackedBatch(numbers.map { examples[$0] }, shape: decoder.shape)
    let entry = try cache.map { (sublayer: $0.sublayer, states: try $0.states(of: numbers, examples, branches)) }
    return try decoder.lossTensor(
      batch, branches, entry: entry, scale: 1 / Float(labels), checkpointing: plan.checkpointing)
  }

  private func update(_ gradients: Tensor, _ rate: Double) throws {
    let clip = options.clip.map { (norm: norm, maximum: Float($0)) }
    func apply(_ range: Range<Int>, decay: Double) throws {
      guard !range.isEmpty else { return }
      func part(_ tensor: Tensor) throws -> Tensor {
        range.count == tensor.count
          ? tensor : try backend.view(of: tensor, offset: range.lowerBound, rows: 1, columns: range.count)
      }
      let adam = AdamWStep(
        learningRate: Float(rate), weightDecay: Float(decay), step: step + 1, beta1: Float(options.beta1),
        beta2: Float(options.beta2), epsilon: Float(options.epsilon))
      try backend.adamW(
        try part(arena.values), gradients: try part(gradients), firstMoment: try part(firstMoment),
        secondMoment: try part(secondMoment), step: adam, clip: clip)
    }
    try apply(0..<arena.decaying, decay: options.weightDecay)
    try apply(arena.decaying..<arena.count, decay: 0)
    if decoder.trainsWeights { try backend.refresh(decoder.weights.trainableMatrices) }
  }

  /// Throws `TrainingError` (`diverged`) where the last update left numbers that are not finite.
  func checkFinite() throws {
    try backend.norm(of: arena.values, into: norm)
    let value = try backend.download(norm)[0]
    guard value.isFinite else {
      throw TrainingError(
        .diverged,
        "training diverged at step \(step) of \(steps): the parameters are no longer finite; lower the "
          + "learning rate or the rank", step: step)
    }
  }

  // MARK: State

  /// Everything that a continuation needs.
  func state() throws -> TrainingState {
    TrainingState(
      step: step, steps: steps, examples: examples.count, options: options, values: try backend.download(arena.values),
      firstMoment: try backend.download(firstMoment), secondMoment: try backend.download(secondMoment))
  }

  /// Takes up a saved run.
  ///
  /// Throws `TrainingError` (`mismatch`) where it is not a part of this one.
  func restore(_ state: TrainingState) throws {
    func require(_ condition: Bool, _ what: String) throws {
      guard condition else {
        throw TrainingError(
          .mismatch, "the saved training run has other \(what) than this one; start again, or restore what was changed")
      }
    }
    try require(state.options == options, "options")
    try require(state.steps == steps && state.examples == examples.count, "examples")
    try require(state.values.count == arena.count, "parameters")
    try backend.write(state.values, to: arena.values)
    try backend.write(state.firstMoment, to: firstMoment)
    try backend.write(state.secondMoment, to: secondMoment)
    step = state.step
    if decoder.trainsWeights { try backend.refresh(decoder.weights.trainableMatrices) }
  }

  func parameters() throws -> [Float] { try backend.download(arena.values) }

  func setParameters(_ values: [Float]) throws {
    try backend.write(values, to: arena.values)
    if decoder.trainsWeights { try backend.refresh(decoder.weights.trainableMatrices) }
  }
}
