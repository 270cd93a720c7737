import Foundation

/// A causal language model: train adapters on it (or all of it), measure its loss, let it write.
///
/// ```swift
/// let model = try CausalLanguageModel(directory: directory, on: .cpu(threads: 2))
/// let plan = AdapterPlan(layers: [2, 3], count: 2, rank: 8)
/// let memory = try model.makeAdapter(plan, seed: 1)
/// try model.train(memory, on: [TrainingExample(text: ids)])
/// let loss = try model.evaluate(held, adapters: [memory]).loss
/// let reply = try model.generate([prompt], adapters: [memory])[0].ids
/// ```
///
/// The base is never changed by training an adapter; which adapters take part is an argument of every call, and several
/// may at once (a frozen memory beside a fresh adapter). One thread at a time uses a model and what was made from it.
public final class CausalLanguageModel {
  /// Shape and numerical settings.
  public let configuration: ModelConfiguration
  package let backend: any Backend
  let decoder: Decoder
  /// Where the weights came from; nil for a random initialisation.
  public let checkpoint: Checkpoint?
  /// Whether the checkpoint's weights were looked through and found finite.
  var isBaseKnownFinite = false

  /// Loads a checkpoint.
  ///
  /// With `trainable`, all weights can be trained (`train(on:)`); otherwise they are frozen, which takes a fraction of
  /// the memory.
  package init(_ checkpoint: Checkpoint, backend: any Backend, trainable: Bool = false) throws {
    self.checkpoint = checkpoint
    self.backend = backend
    configuration = checkpoint.configuration
    decoder = try Self.makeDecoder(configuration, backend, trainable) { name in
      try CheckpointWeight.source(checkpoint.tensor(name))
    }
  }

  /// Loads the Hugging Face directory `directory`.
  package convenience init(directory: URL, backend: any Backend, trainable: Bool = false) throws {
    try self.init(try Checkpoint(directory), backend: backend, trainable: trainable)
  }

  /// Loads the Hugging Face directory `directory`: `config.json` and its safetensors.
  ///
  /// - Parameters:
  ///   - directory: the folder.
  ///   - device: where the weights go and everything is computed.
  ///   - trainable: all weights can be trained (``train(on:options:hooks:)``); otherwise they are frozen, which takes a
  ///     fraction of the memory.
  /// - Throws: `ModelFileError` for files that cannot be read or are not understood, ``BackendError`` (`outOfMemory`).
  public convenience init(directory: URL, on device: ComputeDevice, trainable: Bool = false) throws {
    try self.init(try Checkpoint(directory), backend: device.backend, trainable: trainable)
  }

  /// Loads a checkpoint that is open already, with the same parameters and errors.
  public convenience init(_ checkpoint: Checkpoint, on device: ComputeDevice, trainable: Bool = false) throws {
    try self.init(checkpoint, backend: device.backend, trainable: trainable)
  }

  /// A model with random weights, to be trained from the beginning; a pure function of configuration and seed.
  ///
  /// - Throws: ``BackendError`` (`outOfMemory`).
  public convenience init(
    randomInitialization configuration: ModelConfiguration, seed: UInt64, on device: ComputeDevice,
    trainable: Bool = true
  ) throws {
    try self.init(
      randomInitialization: configuration, seed: seed, backend: device.backend, trainable: trainable)
  }

  /// A model with random weights, to be trained from the beginning; a pure function of configuration and seed.
  package init(
    randomInitialization configuration: ModelConfiguration, seed: UInt64, backend: any Backend, trainable: Bool = true
  )
    throws
  {
    checkpoint = nil
    self.backend = backend
    self.configuration = configuration
    let initializer = WeightInitializer(configuration, seed: seed)
    decoder = try Self.makeDecoder(configuration, backend, trainable) { try initializer.weight($0) }
  }

  private static func makeDecoder(
    _ configuration: ModelConfiguration, _ backend: any Backend, _ trainable: Bool,
    _ source: @escaping (String) throws -> any WeightSource
  ) throws -> Decoder {
    let shape = DecoderShape(configuration)
    var loader = WeightLoader(shape: shape, backend: backend, source: source)
    return Decoder(shape: shape, weights: try loader.load(trainable: trainable), backend: backend)
  }

  /// Tokens that end a text: those of `generation_config.json`, of `config.json` where there is none.
  public var endIDs: [Int] { checkpoint?.generation.endIDs ?? configuration.eosIDs }

  // MARK: Adapters

  /// A fresh adapter (it changes nothing until trained).
  ///
  /// Throws `AdapterError` where the plan does not fit the model.
  public func makeAdapter(_ plan: AdapterPlan, seed: UInt64) throws -> Adapter {
    try Adapter(try plan.modules(for: configuration), seed: seed, backend: backend)
  }

  /// All linear layers that can carry LoRA, in the order of computation.
  public var linearLayers: [LinearLayer] {
    (0..<configuration.layerCount).flatMap { decoder.shape.linearLayers($0) }
  }

  // MARK: Loss

  /// Loss over the labelled tokens of all examples, without training.
  ///
  /// Throws `TrainingError` (`diverged`) where a loss is not finite, `ModelFileError` (`malformed`) where the base is to
  /// blame for it.
  ///
  /// - Parameters:
  ///   - examples: token sequences with labels.
  ///   - adapters: those that take part.
  ///   - tokensPerPass: tokens that go through the model at once; nil = by memory.
  public func evaluate(_ examples: [TrainingExample], adapters: [Adapter] = [], tokensPerPass: Int? = nil) throws
    -> Evaluation
  {
    let tokensPerPass =
      tokensPerPass ?? (backend.preferredPassBytes > 0 ? 4096 : decoder.shape.tokensPerForwardPass)
    for (index, example) in examples.enumerated() {
      try example.validate(index: index, for: configuration, needsLabels: false)
    }
    let branches = BranchTable(adapters, layers: configuration.layerCount)
    var evaluation = Evaluation(examples: examples.map { _ in ExampleLoss(sum: 0, tokens: 0) })
    var pending: [Int] = []
    var tokens = 0
    func flush() throws {
      guard !pending.isEmpty else { return }
      let batch = PackedBatch(pending.map { examples[$0] }, shape: decoder.shape)
      let losses = try decoder.losses(batch, branches)
      var next = 0
      for (number, count) in zip(pending, batch.labelCounts) {
        evaluation.examples[number] = ExampleLoss(
          sum: losses[next..<(next + count)].reduce(0) { $0 + Double($1) }, tokens: count)
        next += count
      }
      pending = []
      tokens = 0
    }
    for (number, example) in examples.enumerated() where example.labelCount > 0 {
      let length = PackedBatch.length(of: example)
      if tokens + length > tokensPerPass { try flush() }
      pending.append(number)
      tokens += length
    }
    try flush()
    if let (number, example) = evaluation.examples.enumerated().first(where: { !$1.sum.isFinite }) {
      try requireFiniteBase()
      throw TrainingError(
        .diverged, "the loss of example \(number) is not finite (\(example.sum)): \(overflowAdvice(adapters))")
    }
    return evaluation
  }

  /// Logits [tokens, vocabulary] of one sequence, row-major.
  public func logits(_ ids: [Int], adapters: [Adapter] = []) throws -> [Float] {
    let example = TrainingExample(text: ids)
    try example.validate(index: 0, for: configuration, needsLabels: false)
    let pass = DecoderPass(
      positions: try backend.upload(indices: decoder.shape.positions(of: ids)),
      sequences: try PackedSequences(lengths: [ids.count], backend: backend), rows: nil, prunesEarly: false,
      mode: .packed, branches: BranchTable(adapters, layers: configuration.layerCount))
    let stream = try decoder.embed(try backend.upload(indices: ids.map { Int32($0) }), positions: pass.positions)
    return try backend.download(try decoder.logits(try decoder.forward(stream, decoder.sublayers, pass), pass))
  }

  // MARK: Generation

  /// Continues every prompt (token ids with whatever specials belong in front).
  ///
  /// - Parameters:
  ///   - prompts: token ids, each at most as long as the model's longest sequence.
  ///   - options: how long, and how tokens are chosen.
  ///   - adapters: those that take part.
  ///   - onToken: told every new token as soon as it is chosen: the number of its prompt, and the id. What it throws ends
  ///     the generation.
  /// - Throws: `GenerationError`; `ModelFileError` (`malformed`) where the base's weights are not finite.
  public func generate(
    _ prompts: [[Int]], options: GenerationOptions = GenerationOptions(), adapters: [Adapter] = [],
    onToken: ((Int, Int) throws -> Void)? = nil
  ) throws -> [Generation] {
    for (index, prompt) in prompts.enumerated() {
      guard !prompt.isEmpty, prompt.count <= configuration.maximumLength else {
        throw GenerationError(
          .invalidPrompt, "prompt \(index) has \(prompt.count) tokens; it must have 1 … \(configuration.maximumLength)")
      }
      if let id = prompt.first(where: { $0 < 0 || $0 >= configuration.vocabularySize }) {
        throw GenerationError(
          .invalidPrompt,
          "prompt \(index): token id \(id) is outside the vocabulary of \(configuration.vocabularySize); has the "
            + "tokenizer more tokens than the model has embeddings?")
      }
    }
    if case .sample(let temperature, let topK, let topP, _) = options.choice {
      guard temperature > 0, temperature.isFinite, (topK ?? 1) > 0, (topP ?? 1) > 0, (topP ?? 1) <= 1 else {
        throw GenerationError(
          .invalidOptions, "temperature must be positive, top-k at least 1 and top-p in (0, 1]")
      }
    }
    let generator = Generator(
      decoder: decoder, branches: BranchTable(adapters, layers: configuration.layerCount), options: options,
      stopIDs: options.stopIDs ?? Set(endIDs), onToken: onToken)
    return try blaming(adapters) { try generator.run(prompts) }
  }
}

/// Loss of one example: the sum over its labelled tokens, in nats.
public struct ExampleLoss: Sendable, Hashable {
  /// Sum over the labelled tokens, in nats.
  public var sum: Double
  /// Labelled tokens.
  public var tokens: Int
  /// Mean over the tokens; 0 where there are none.
  public var loss: Double { tokens == 0 ? 0 : sum / Double(tokens) }

  /// A sum over some tokens.
  public init(sum: Double, tokens: Int) {
    self.sum = sum
    self.tokens = tokens
  }
}

/// Losses of a set of examples.
public struct Evaluation: Sendable, Hashable {
  /// One for each example, in their order.
  public var examples: [ExampleLoss]
  /// Labelled tokens.
  public var tokens: Int { examples.reduce(0) { $0 + $1.tokens } }
  /// Mean over all labelled tokens, in nats; 0 where there are none.
  public var loss: Double { tokens == 0 ? 0 : examples.reduce(0) { $0 + $1.sum } / Double(tokens) }
}
