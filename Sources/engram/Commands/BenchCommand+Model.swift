import ArgumentParser
import Foundation
import LanguageModel
import RandomStreams

extension BenchCommand {
  struct ModelBench: ParsableCommand {
    enum Shape: String, ExpressibleByArgument, CaseIterable { case gpt2, llama }
    enum Case: String, ExpressibleByArgument, CaseIterable { case full, dialogue, top2, generate }

    static let configuration = CommandConfiguration(
      commandName: "model", abstract: "LoRA training and generation on a random model of a known shape.",
      discussion: """
        Cases: full (8 x 128, all positions labelled, LoRA r=16 on all feed-forward layers), dialogue (lengths of --lengths, \
        labels on the reply), top2 (the top two layers only, frozen prefix cached), generate (8 prompts x 64 tokens). \
        Benchmarks/peers/peft_training.py measures PEFT on the same cases.
        """)
    @Option(help: "gpt2 (12 x 768, vocabulary 50,257) or llama (12 x 768, vocabulary 32,000).") var shape: Shape = .gpt2
    @Option(name: .customLong("case"), help: "full, dialogue, top2 or generate.") var kind: Case = .full
    @Option(help: "f32, bf16 or automatic.") var dtype: DataTypeOption = .automatic
    @Option(help: "Threads (default: all cores).") var threads: Int?
    @Option(help: "Steps that are timed, after one that is not.") var steps = 4
    @Option(help: "JSON list of [prompt, reply] token counts, for the dialogue case.") var lengths: String?

    struct Output: Encodable {
      var shape: String
      var kind: String
      var kernels: String
      var threads: Int
      var usefulTokensPerSecond: Double
      var secondsPerStep: Double
      var peakMegabytes: Int
    }

    private var model: ModelConfiguration {
      switch shape {
      case .gpt2:
        ModelConfiguration(
          architecture: .gpt2, vocabularySize: 50_257, hiddenSize: 768, layerCount: 12, headCount: 12,
          positionCount: 1024)
      case .llama:
        ModelConfiguration(
          architecture: .llama, vocabularySize: 32_000, hiddenSize: 768, intermediateSize: 2048, layerCount: 12,
          headCount: 12, positionCount: 2048)
      }
    }

    func run() throws {
      let precision: CPUPrecision = dtype == .f32 ? .float32 : dtype == .bf16 ? .bfloat16 : .automatic
      let backend = try CPUBackend(precision: precision, threads: threads)
      let network = try CausalLanguageModel(
        randomInitialization: model, seed: 1, backend: backend, trainable: false)
      let (tokens, seconds) = kind == .generate ? try generate(network) : try train(network)
      let output = Output(
        shape: shape.rawValue, kind: kind.rawValue, kernels: backend.kernels, threads: backend.threads,
        usefulTokensPerSecond: Double(tokens) / seconds, secondsPerStep: seconds / Double(max(1, steps)),
        peakMegabytes: Self.peakMegabytes())
      Terminal.print(try JSON.line(output))
    }

    private func train(_ network: CausalLanguageModel) throws -> (tokens: Int, seconds: Double) {
      let examples = try examples()
      let layers = kind == .top2 ? [model.layerCount - 2, model.layerCount - 1] : Array(0..<model.layerCount)
      let adapter = try network.makeAdapter(AdapterPlan(layers: layers, count: 1, rank: 16), seed: 1)
      var options = TrainingOptions()
      options.batchSize = 8
      options.order = .sequential
      // One step more than is timed: it packs the weights. With a cached prefix the first pass fills the cache.
      let untimed = kind == .top2 ? steps : 1
      options.epochs = kind == .top2 ? 2 : 1
      options.maximumSteps = kind == .top2 ? nil : steps + 1
      var times: [Double] = []
      var last = Date()
      var hooks = TrainingHooks()
      hooks.progress = { _ in
        times.append(Date().timeIntervalSince(last))
        last = Date()
      }
      try network.train(adapter, on: examples, options: options, hooks: hooks)
      let timed = examples[(kind == .top2 ? 0 : 8)..<(kind == .top2 ? steps * 8 : (steps + 1) * 8)]
      return (timed.reduce(0) { $0 + $1.ids.count }, times.dropFirst(untimed).prefix(steps).reduce(0, +))
    }

    private func generate(_ network: CausalLanguageModel) throws -> (tokens: Int, seconds: Double) {
      var random = RandomStream(seed: 1, purpose: "bench/prompts")
      let prompts = (0..<8).map { _ in (0..<32).map { _ in random.integer(below: model.vocabularySize) } }
      _ = try network.generate(prompts, options: GenerationOptions(maximumNewTokens: 4, stopIDs: []))
      let start = Date()
      _ = try network.generate(prompts, options: GenerationOptions(maximumNewTokens: 64, stopIDs: []))
      return (8 * 64, Date().timeIntervalSince(start))
    }

    private func examples() throws -> [TrainingExample] {
      var random = RandomStream(seed: 1, purpose: "bench/text")
      func ids(_ count: Int) -> [Int] { (0..<count).map { _ in random.integer(below: model.vocabularySize) } }
      guard kind == .dialogue else {
        return (0..<(8 * (kind == .top2 ? steps : steps + 1))).map { _ in TrainingExample(text: ids(128)) }
      }
      guard let lengths else { throw CommandError(.usage, "--case dialogue needs --lengths FILE") }
      let pairs = try JSONDecoder().decode([[Int]].self, from: Data(contentsOf: URL(fileURLWithPath: lengths)))
      guard pairs.count >= 8 * (steps + 1), pairs.allSatisfy({ $0.count == 2 && $0[0] > 0 && $0[1] > 0 }) else {
        throw CommandError(.usage, "\(lengths): needs at least \(8 * (steps + 1)) pairs of positive counts")
      }
      return pairs.prefix(8 * (steps + 1)).map { TrainingExample(prompt: ids($0[0]), response: ids($0[1])) }
    }

    private static func peakMegabytes() -> Int {
      let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
      let line = status.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
      return line.flatMap { $0.split(separator: " ").dropLast().last }.flatMap { Int($0) }.map { $0 / 1024 } ?? 0
    }
  }
}
