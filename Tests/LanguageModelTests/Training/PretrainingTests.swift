import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// Training of all weights, and saving.
@Suite(.bounded) struct PretrainingTests {
  private func configuration(_ architecture: ModelConfiguration.Architecture) -> ModelConfiguration {
    ModelConfiguration(
      architecture: architecture, vocabularySize: 40, hiddenSize: 16, layerCount: 2, headCount: 2,
      keyValueHeadCount: architecture == .llama ? 1 : nil, positionCount: 24)
  }

  private func data(_ count: Int) -> [TrainingExample] {
    var numbers = TokenNumbers(seed: 4)
    return (0..<count).map { _ in TrainingExample(text: numbers.ids(4 + numbers.below(8), 40)) }
  }

  /// Every gradient of every weight against central differences of the loss along random directions.
  @Test(arguments: ModelConfiguration.Architecture.allCases)
  func gradientsByFiniteDifferences(_ architecture: ModelConfiguration.Architecture) throws {
    var configuration = configuration(architecture)
    configuration.initializerRange = 0.3
    let model = try CausalLanguageModel(
      randomInitialization: configuration, seed: 2, backend: ReferenceBackend())
    let backend = model.backend
    let packed = PackedBatch(data(5), shape: DecoderShape(configuration))
    let branches = BranchTable([], layers: 2)
    let arena = try #require(model.decoder.weights.arena)
    try model.decoder.weights.attachGradients()
    try backend.fill(try #require(arena.gradients), with: 0)
    _ = try model.decoder.losses(packed, branches, scale: 1)
    func loss() throws -> Double { try model.decoder.losses(packed, branches).reduce(0) { $0 + Double($1) } }
    var numbers = TokenNumbers(seed: 8)
    for entry in arena.entries {
      let gradient = try backend.download(try #require(try arena.gradient(entry.name)))
      let tensor = try arena.value(entry.name)
      let original = try backend.download(tensor)
      let direction = original.map { _ in Float(numbers.below(2001) - 1000) / 1000 }
      let length = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
      let step = Float(0.01) / length
      try backend.write(zip(original, direction).map { $0 + step * $1 }, to: tensor)
      let above = try loss()
      try backend.write(zip(original, direction).map { $0 - step * $1 }, to: tensor)
      let below = try loss()
      try backend.write(original, to: tensor)
      let expected = (above - below) / Double(2 * step)
      let actual = zip(gradient, direction).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      #expect(
        abs(actual - expected) < 0.02 * max(Double(length) * 0.05, abs(expected)),
        "\(entry.name): \(actual), \(expected)")
    }
  }

  @Test(arguments: ModelConfiguration.Architecture.allCases)
  func learnsAndReloads(_ architecture: ModelConfiguration.Architecture) throws {
    let backend = try CPUBackend(precision: .float32, threads: 1)
    let model = try CausalLanguageModel(
      randomInitialization: configuration(architecture), seed: 1, backend: backend)
    let examples = data(8)
    let start = try model.evaluate(examples).loss
    #expect(abs(start - 3.7) < 0.4)  // ln 40
    var options = TrainingOptions()
    options.epochs = 80
    options.learningRate = 1e-2
    options.schedule = .cosine(minimum: 0.1)
    options.order = .bucketed
    try model.train(on: examples, options: options)
    let loss = try model.evaluate(examples).loss
    #expect(loss < 1)
    let folder = try TemporaryFolder()
    try model.save(to: folder.url)
    let checkpoint = try Checkpoint(folder.url)
    #expect(checkpoint.configuration == model.configuration)
    let reloaded = try CausalLanguageModel(checkpoint, backend: backend)
    #expect(abs(try reloaded.evaluate(examples).loss - loss) < 1e-5)
    let again = try CausalLanguageModel(checkpoint, backend: backend, trainable: true)
    #expect(abs(try again.evaluate(examples).loss - loss) < 1e-5)
  }

  @Test func pretrainingContinuesWithTheSameBits() throws {
    func open() throws -> CausalLanguageModel {
      try CausalLanguageModel(
        randomInitialization: configuration(.gpt2), seed: 1, backend: try CPUBackend(precision: .automatic, threads: 2))
    }
    var options = TrainingOptions()
    options.epochs = 4
    let whole = try open()
    let losses = try whole.train(on: data(20), options: options).losses
    let part = try open()
    var hooks = TrainingHooks()
    var done = 0
    hooks.progress = { done = $0.step }
    hooks.isCancelled = { done == 5 }
    let interrupted = try part.train(on: data(20), options: options, hooks: hooks)
    hooks = TrainingHooks()
    hooks.resumeFrom = interrupted.state
    let rest = try open().train(on: data(20), options: options, hooks: hooks)
    #expect(interrupted.losses + rest.losses == losses)
  }

  @Test func initialisationIsAFunctionOfTheSeed() throws {
    let backend = ReferenceBackend()
    func losses(_ seed: UInt64) throws -> [ExampleLoss] {
      try CausalLanguageModel(randomInitialization: configuration(.gpt2), seed: seed, backend: backend)
        .evaluate(data(2)).examples
    }
    #expect(try losses(1) == losses(1))
    #expect(try losses(1) != losses(2))
  }
}
