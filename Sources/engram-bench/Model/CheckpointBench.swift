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
  struct CheckpointBench: ParsableCommand {
    enum Shape: String, ExpressibleByArgument, CaseIterable {
      case gpt2 = "gpt2"
      case llama7b = "llama-7b"
    }

    static let configuration = CommandConfiguration(
      commandName: "checkpoint",
      abstract: "A checkpoint on disk: open it, train a step on it, generate; time and memory.",
      discussion: """
        Prints one JSON object per stage: open (configuration, headers, mapping), load (the model on the backend), step (one \
        LoRA training step, r = 16 on the feed-forward layers), generate. Memory in MB: resident in all, the process's own \
        pages, those of mapped files, and the peak so far. --write SHAPE first writes random weights.
        """)
    @Option(help: "Hugging Face directory.") var model: String
    @Option(help: "Write a checkpoint of random weights first: gpt2 or llama-7b (13.5 GB in bf16).") var write: Shape?
    @Option(help: "With --write: f32 or bf16.") var stored: Precision = .bf16
    @Option(help: "Training steps.") var steps = 0
    @Option(help: "Sequences per step.") var batch = 1
    @Option(help: "Tokens per sequence.") var length = 128
    @Option(help: "New tokens to generate after a prompt of 16.") var generate = 0
    @Option(help: "f32, bf16 or automatic.") var dtype: Precision = .automatic
    @Option(help: "Threads (default: all cores).") var threads: Int?

    struct Stage: Encodable {
      var stage: String
      var seconds: Double
      var bytes: Int?
      var loss: Double?
      var tokens: Int?
      var kernels: String?
      var residentMB: Int
      var ownMB: Int
      var fileMB: Int
      var peakMB: Int
    }

    func validate() throws {
      if let threads, threads < 1 { throw ValidationError("--threads must be at least 1") }
      if steps < 0 || generate < 0 || batch < 1 || length < 2 {
        throw ValidationError("--steps and --generate must not be negative, --batch at least 1, --length at least 2")
      }
    }

    func run() throws {
      let directory = URL(fileURLWithPath: model, isDirectory: true)
      if let write { try stage("write") { try Self.writeRandom(write, stored, to: directory) } }
      show("start", 0)
      let checkpoint = try stage("open") {
        try Checkpoint(directory)
      } bytes: {
        $0.byteCount
      }
      guard steps > 0 || generate > 0 else { return }
      let precision: CPUPrecision = dtype == .f32 ? .float32 : dtype == .bf16 ? .bfloat16 : .automatic
      let backend = try CPUBackend(precision: precision, threads: threads)
      let network = try stage("load") { try CausalLanguageModel(checkpoint, backend: backend) }
      if steps > 0 { try train(network, backend) }
      if generate > 0 { try generate(network, backend) }
    }

    private func train(_ network: CausalLanguageModel, _ backend: CPUBackend) throws {
      var random = RandomStream(seed: 1, purpose: "bench/text")
      let vocabulary = network.configuration.vocabularySize
      let examples = (0..<(batch * steps)).map { _ in
        TrainingExample(text: (0..<length).map { _ in random.integer(below: vocabulary) })
      }
      let layers = Array(0..<network.configuration.layerCount)
      let adapter = try network.makeAdapter(AdapterPlan(layers: layers, count: 1, rank: 16), seed: 1)
      var options = TrainingOptions()
      options.batchSize = batch
      options.order = .sequential
      options.epochs = 1
      var hooks = TrainingHooks()
      var last = Date()
      hooks.progress = { state in
        show(
          "step", Date().timeIntervalSince(last), loss: state.loss, tokens: batch * length, kernels: backend.kernels)
        last = Date()
      }
      try network.train(adapter, on: examples, options: options, hooks: hooks)
    }

    private func generate(_ network: CausalLanguageModel, _ backend: CPUBackend) throws {
      var random = RandomStream(seed: 1, purpose: "bench/prompts")
      let prompt = (0..<16).map { _ in random.integer(below: network.configuration.vocabularySize) }
      let start = Date()
      let options = GenerationOptions(maximumNewTokens: generate, stopIDs: [])
      let result = try network.generate([prompt], options: options)
      show("generate", Date().timeIntervalSince(start), tokens: result[0].ids.count, kernels: backend.kernels)
    }

    // MARK: - Printing

    private func stage<T>(_ name: String, _ body: () throws -> T, bytes: (T) -> Int? = { _ in nil }) throws -> T {
      let start = Date()
      let value = try body()
      show(name, Date().timeIntervalSince(start), bytes: bytes(value))
      return value
    }

    private func show(
      _ name: String, _ seconds: Double, bytes: Int? = nil, loss: Double? = nil, tokens: Int? = nil,
      kernels: String? = nil
    ) {
      let resident = ProcessMemory.resident
      let stage = Stage(
        stage: name, seconds: (seconds * 1e6).rounded() / 1e6, bytes: bytes, loss: loss, tokens: tokens,
        kernels: kernels, residentMB: resident.all >> 20, ownMB: resident.own >> 20, fileMB: resident.files >> 20,
        peakMB: ProcessMemory.peak >> 20)
      // Every number of it is finite: each is a count or a time.
      if let line = try? JSON.line(stage) { Terminal.print(line) }
    }

    // MARK: - Random weights

    private static func writeRandom(_ shape: Shape, _ stored: Precision, to directory: URL) throws {
      guard !FileManager.default.fileExists(atPath: directory.appendingPathComponent("config.json").path) else {
        throw CommandError(.conflict, "\(directory.path) holds a checkpoint already. Choose another directory")
      }
      let configuration =
        switch shape {
        case .gpt2:
          ModelConfiguration(
            architecture: .gpt2, vocabularySize: 50_257, hiddenSize: 768, layerCount: 12, headCount: 12,
            positionCount: 1024)
        case .llama7b:
          ModelConfiguration(
            architecture: .llama, vocabularySize: 32_000, hiddenSize: 4096, intermediateSize: 11_008, layerCount: 32,
            headCount: 32, positionCount: 4096)
        }
      // One parameter in memory at a time. Norms are 1, biases 0, the rest uniform with the standard deviation 0.02.
      var number: UInt64 = 0
      let lock = NSLock()
      try Checkpoint.write(
        to: directory, configuration: configuration, storedType: stored == .f32 ? .float32 : .bfloat16
      ) { parameter in
        let count = parameter.shape.reduce(1, *)
        if parameter.shape.count == 1 {
          return [Float](repeating: parameter.name.hasSuffix("bias") ? 0 : 1, count: count)
        }
        var state = lock.withLock {
          number += 1
          return number &* 0x9E37_79B9_7F4A_7C15
        }
        return [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
          for index in 0..<count {
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            buffer[index] = Float(Int32(truncatingIfNeeded: state >> 16)) * (0.0346 / 2_147_483_648)
          }
          initialized = count
        }
      }
    }
  }
}
