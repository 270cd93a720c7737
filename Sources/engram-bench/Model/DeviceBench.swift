import Foundation
import LanguageModel
import RandomStreams

/// `engram-bench model` on any device and base: training, generation, loading, and the turnover between configurations.
struct DeviceBench {
  struct Output: Encodable {
    var shape: String
    var kind: String
    var kernels: String
    var usefulTokensPerSecond: Double
    var secondsPerStep: Double
    /// Of the device's memory.
    var peakMegabytes: Int
    /// From the directory (or the random numbers) to weights on the device.
    var loadSeconds: Double
    /// From the end of a training to the first finished step of another configuration on the resident base.
    var turnoverSeconds: Double?
  }

  var name: String
  var backend: any Backend
  var steps: Int
  var length: Int
  var rank: Int

  func run(isGeneration: Bool, load: (any Backend) throws -> CausalLanguageModel) throws -> Output {
    let start = Date()
    let network = try load(backend)
    try backend.synchronize()
    let loadSeconds = Date().timeIntervalSince(start)
    let timing = isGeneration ? try generate(network) : try train(network, rank: rank, steps: steps)
    // Before the turnover's own training.
    let peak = backend.memory.peak
    return Output(
      shape: name, kind: isGeneration ? "generate" : "full", kernels: backend.name,
      usefulTokensPerSecond: Double(timing.tokens) / timing.seconds, secondsPerStep: timing.seconds / timing.steps,
      peakMegabytes: peak >> 20, loadSeconds: loadSeconds,
      turnoverSeconds: isGeneration ? nil : try turnover(network))
  }

  private func train(_ network: CausalLanguageModel, rank: Int, steps: Int) throws -> (
    tokens: Int, seconds: Double, steps: Double
  ) {
    var random = RandomStream(seed: 1, purpose: "bench/text")
    let vocabulary = network.configuration.vocabularySize
    // Row t predicts t + 1: one number more makes `length` predicted positions.
    let examples = (0..<(8 * (steps + 3))).map { _ in
      TrainingExample(text: (0...length).map { _ in random.integer(below: vocabulary) })
    }
    let adapter = try network.makeAdapter(
      AdapterPlan(layers: Array(0..<network.configuration.layerCount), count: 1, rank: rank), seed: 1)
    var options = TrainingOptions()
    options.batchSize = 8
    options.order = .sequential
    options.epochs = 1
    var times: [Double] = []
    var last = Date()
    var hooks = TrainingHooks()
    hooks.progress = { _ in
      times.append(Date().timeIntervalSince(last))
      last = Date()
    }
    try network.train(adapter, on: examples, options: options, hooks: hooks)
    let timed = times.dropFirst(3)
    return (8 * length * timed.count, timed.reduce(0, +), Double(max(1, timed.count)))
  }

  private func turnover(_ network: CausalLanguageModel) throws -> Double {
    let start = Date()
    let adapter = try network.makeAdapter(
      AdapterPlan(layers: Array(0..<network.configuration.layerCount), count: 1, rank: max(1, rank / 2)), seed: 2)
    var options = TrainingOptions()
    options.maximumSteps = 1
    let examples = (0..<8).map { _ in TrainingExample(text: Array(repeating: 1, count: length + 1)) }
    try network.train(adapter, on: examples, options: options)
    return Date().timeIntervalSince(start)
  }

  private func generate(_ network: CausalLanguageModel) throws -> (tokens: Int, seconds: Double, steps: Double) {
    var random = RandomStream(seed: 1, purpose: "bench/prompts")
    let vocabulary = network.configuration.vocabularySize
    let prompts = (0..<8).map { _ in (0..<32).map { _ in random.integer(below: vocabulary) } }
    _ = try network.generate(prompts, options: GenerationOptions(maximumNewTokens: 4, stopIDs: []))
    let start = Date()
    _ = try network.generate(prompts, options: GenerationOptions(maximumNewTokens: 64, stopIDs: []))
    return (8 * 64, Date().timeIntervalSince(start), 64)
  }
}
