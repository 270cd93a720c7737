import ArgumentParser
import Console
import Experiment
import Foundation
import LanguageModel
import MemoryRecipe
import Processes
import RandomStreams
import Report

extension EngramBench {
  struct ModelBench: ParsableCommand {
    enum Shape: String, ExpressibleByArgument, CaseIterable {
      case gpt2Small = "gpt2-small"
      case llama110m = "llama-110m"
    }
    enum Case: String, ExpressibleByArgument, CaseIterable {
      case full, dialogue, top2
      case top2Dialogue = "top2-dialogue"
      case generate

      var isDialogue: Bool { self == .dialogue || self == .top2Dialogue }
      var isTop: Bool { self == .top2 || self == .top2Dialogue }
    }

    static let configuration = CommandConfiguration(
      commandName: "model", abstract: "LoRA training and generation on a random model of a known shape.",
      discussion: """
        Cases: full (8 x 128, all positions labelled, LoRA r=16 on all feed-forward layers), dialogue (lengths of --lengths, \
        labels on the reply), top2 and top2-dialogue (the same with the top two layers only, frozen prefix cached), \
        generate (8 prompts of 32 tokens x 64 new tokens, greedy). Benchmarks/peers/peft_training.py measures PEFT on \
        the same cases, Benchmarks/engine.sh both.

        productShare is the part of the time that matrix products take, productGigaflops their rate and \
        limitGigaflops the best rate of one product of a suitable size on this machine.

        With --device or --model (cases full and generate): any device, any base, also the seconds of loading and of the \
        turnover to another configuration on the resident base; peakMegabytes is then the device's.
        """)
    @Option(help: "gpt2-small (12 x 768, vocabulary 50,257) or llama-110m (12 x 768, vocabulary 32,000).")
    var shape: Shape = .gpt2Small
    @Option(name: .customLong("case"), help: "full, dialogue, top2, top2-dialogue or generate.")
    var kind: Case = .full
    @Option(help: "cpu or cuda:N.") var device: String?
    @Option(help: "A Hugging Face directory instead of a shape with random weights.") var model: String?
    @Option(help: "With --device or --model: predicted tokens of a sequence.") var length = 128
    @Option(help: "With --device or --model: rank of the LoRAs.") var rank = 16
    @Option(help: "f32, bf16 or automatic.") var dtype: Precision = .automatic
    @Option(help: "Threads (default: all cores).") var threads: Int?
    @Option(help: "Steps that are timed, after one that is not.") var steps = 4
    @Option(help: "JSON list of [prompt, reply] token counts, for the dialogue cases.") var lengths: String?

    struct Output: Encodable {
      var shape: String
      var kind: String
      var kernels: String
      var threads: Int
      var usefulTokensPerSecond: Double
      var secondsPerStep: Double
      var peakMegabytes: Int
      var productShare: Double
      var productGigaflops: Double
      var limitGigaflops: Double
    }

    /// What was timed.
    private struct Timing {
      var tokens: Int
      var seconds: Double
      var products: CPUBackend.ProductTotals
    }

    private var shapeConfiguration: ModelConfiguration {
      switch shape {
      case .gpt2Small:
        ModelConfiguration(
          architecture: .gpt2, vocabularySize: 50_257, hiddenSize: 768, layerCount: 12, headCount: 12,
          positionCount: 1024)
      case .llama110m:
        ModelConfiguration(
          architecture: .llama, vocabularySize: 32_000, hiddenSize: 768, intermediateSize: 2048, layerCount: 12,
          headCount: 12, positionCount: 2048)
      }
    }

    func run() throws {
      guard device == nil, model == nil else { return try runOnDevice() }
      let precision: CPUPrecision = dtype == .f32 ? .float32 : dtype == .bf16 ? .bfloat16 : .automatic
      let backend = try CPUBackend(precision: precision, threads: threads)
      let network = try CausalLanguageModel(
        randomInitialization: shapeConfiguration, seed: 1, backend: backend, trainable: false)
      let timing = kind == .generate ? try generate(network, backend) : try train(network, backend)
      let peak = Self.peakMegabytes()
      let output = Output(
        shape: shape.rawValue, kind: kind.rawValue, kernels: backend.kernels, threads: backend.threads,
        usefulTokensPerSecond: Double(timing.tokens) / timing.seconds,
        secondsPerStep: timing.seconds / Double(kind == .generate ? 64 : max(1, steps)), peakMegabytes: peak,
        productShare: timing.products.seconds / timing.seconds,
        productGigaflops: timing.products.operations / timing.products.seconds / 1e9,
        limitGigaflops: try backend.productLimit() / 1e9)
      Terminal.print(try JSON.line(output))
    }

    private func runOnDevice() throws {
      guard kind == .full || kind == .generate else {
        throw CommandError(.usage, "--case \(kind.rawValue): with --device or --model only full and generate")
      }
      guard steps >= 1, length >= 1, rank >= 1 else {
        throw CommandError(.usage, "--steps, --length and --rank must be at least 1")
      }
      let bench = DeviceBench(
        name: model ?? shape.rawValue,
        backend: try Devices.backend(device ?? "cpu", precision: dtype, threads: threads), steps: steps,
        length: length, rank: rank)
      let output = try bench.run(isGeneration: kind == .generate) { backend in
        if let model {
          return try CausalLanguageModel(directory: URL(fileURLWithPath: model, isDirectory: true), backend: backend)
        }
        return try CausalLanguageModel(
          randomInitialization: shapeConfiguration, seed: 1, backend: backend, trainable: false)
      }
      Terminal.print(try JSON.line(output))
    }

    private func train(_ network: CausalLanguageModel, _ backend: CPUBackend) throws -> Timing {
      let examples = try examples()
      let layers =
        kind.isTop
        ? [shapeConfiguration.layerCount - 2, shapeConfiguration.layerCount - 1]
        : Array(0..<shapeConfiguration.layerCount)
      let adapter = try network.makeAdapter(AdapterPlan(layers: layers, count: 1, rank: 16), seed: 1)
      var options = TrainingOptions()
      options.batchSize = 8
      options.order = .sequential
      // One step more than is timed: it packs the weights. With a cached prefix the first pass fills the cache.
      let untimed = kind.isTop ? steps : 1
      options.epochs = kind.isTop ? 2 : 1
      options.maximumSteps = kind.isTop ? nil : steps + 1
      var times: [Double] = []
      var before = backend.productTotals
      var last = Date()
      var hooks = TrainingHooks()
      hooks.progress = { _ in
        times.append(Date().timeIntervalSince(last))
        if times.count == untimed { before = backend.productTotals }
        last = Date()
      }
      try network.train(adapter, on: examples, options: options, hooks: hooks)
      let timed = examples[(kind.isTop ? 0 : 8)..<(kind.isTop ? steps * 8 : (steps + 1) * 8)]
      return Timing(
        tokens: timed.reduce(0) { $0 + $1.ids.count }, seconds: times.dropFirst(untimed).prefix(steps).reduce(0, +),
        products: backend.productTotals - before)
    }

    private func generate(_ network: CausalLanguageModel, _ backend: CPUBackend) throws -> Timing {
      var random = RandomStream(seed: 1, purpose: "bench/prompts")
      let prompts = (0..<8).map { _ in (0..<32).map { _ in random.integer(below: shapeConfiguration.vocabularySize) } }
      _ = try network.generate(prompts, options: GenerationOptions(maximumNewTokens: 64, stopIDs: []))
      let before = backend.productTotals
      let start = Date()
      _ = try network.generate(prompts, options: GenerationOptions(maximumNewTokens: 64, stopIDs: []))
      return Timing(
        tokens: 8 * 64, seconds: Date().timeIntervalSince(start), products: backend.productTotals - before)
    }

    private func examples() throws -> [TrainingExample] {
      var random = RandomStream(seed: 1, purpose: "bench/text")
      func ids(_ count: Int) -> [Int] {
        (0..<count).map { _ in random.integer(below: shapeConfiguration.vocabularySize) }
      }
      guard kind.isDialogue else {
        return (0..<(8 * (kind.isTop ? steps : steps + 1))).map { _ in TrainingExample(text: ids(128)) }
      }
      guard let lengths else { throw CommandError(.usage, "--case \(kind.rawValue) needs --lengths FILE") }
      let pairs = try JSONDecoder().decode([[Int]].self, from: Data(contentsOf: URL(fileURLWithPath: lengths)))
      guard pairs.count >= 8 * (steps + 1), pairs.allSatisfy({ $0.count == 2 && $0[0] > 0 && $0[1] > 0 }) else {
        throw CommandError(.usage, "\(lengths): needs at least \(8 * (steps + 1)) pairs of positive counts")
      }
      // Pairs 8 … are timed in every case: the first eight warm up, or are left out where the first epoch does that.
      return pairs[(kind.isTop ? 8 : 0)..<(8 * (steps + 1))].map {
        TrainingExample(prompt: ids($0[0]), response: ids($0[1]))
      }
    }

    private static func peakMegabytes() -> Int { ProcessMemory.peak >> 20 }
  }
}
