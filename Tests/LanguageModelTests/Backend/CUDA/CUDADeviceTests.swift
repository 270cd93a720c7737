import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// The device that the tests may use; nil = none.
private let namedDevice: Int? = ProcessInfo.processInfo.environment["ENGRAM_CUDA_DEVICE"].flatMap { Int($0) }

/// The CUDA backend on a real GPU.
///
/// `ENGRAM_CUDA_DEVICE=0` names the device; without it nothing here runs.
@Suite(
  .serialized,
  .enabled(if: namedDevice != nil, "no GPU named: set ENGRAM_CUDA_DEVICE to a device's number"), .bounded)
struct CUDADeviceTests {
  private func backend(_ precision: CUDABackend.Precision) throws -> CUDABackend {
    try CUDABackend(device: namedDevice ?? 0, precision: precision)
  }

  @Test(arguments: [(CUDABackend.Precision.float32, 3e-5), (.bfloat16, 2e-2)])
  func conformance(_ precision: CUDABackend.Precision, _ tolerance: Double) throws {
    let backend = try backend(precision)
    try BackendConformance.run(on: backend, tolerance: tolerance)
    let suite = BackendConformance(backend: backend, tolerance: tolerance)
    try suite.attention(AttentionShape(heads: 2, keyValueHeads: 1, headSize: 128), [130, 1, 64])
    try suite.manySequences(70)
  }

  @Test(arguments: LoRAGoldenTests.arguments)
  func goldens(_ name: String) throws {
    let (golden, batch, modelName) = try LoRAGoldenTests.load(name)
    let model = try ModelFixtures.model(modelName, on: try backend(.float32))
    let adapter = try LoRAGoldenTests.adapter(golden, on: model)
    let logits = try model.logits(batch.example(0).ids, adapters: [adapter])
    #expect(relativeDifference(logits, batch.expectedLogits(0)) < 1e-4)
    let gradients = try LoRAGoldenTests().gradients(model, adapter, batch, false)
    for (module, value) in zip(adapter.modules, gradients) {
      let expected = LoRAGoldenTests.named(golden.grads, module)
      #expect(relativeDifference(value.a, expected.a) < 1e-4, "A of \(module.layer.name)")
      #expect(relativeDifference(value.b, expected.b) < 1e-4, "B of \(module.layer.name)")
    }
  }

  /// Continuations by replayed graphs are those of the CPU.
  @Test(arguments: ["gpt2", "llama-gqa"])
  func generation(_ name: String) throws {
    let prompts = [[5, 9, 200], [7], [31, 9, 4, 100, 61, 62, 63]]
    var results: [[[Int]]] = []
    for backend in [try backend(.float32), try CPUBackend(precision: .float32)] as [any Backend] {
      let model = try ModelFixtures.model(name, on: backend)
      let options = GenerationOptions(maximumNewTokens: 40, stopIDs: [])
      results.append(try model.generate(prompts, options: options).map(\.ids))
    }
    #expect(results[0] == results[1])
  }

  /// Whether decoding steps can be captured here at all: otherwise generation would be right but slow.
  @Test func stepsAreRecorded() throws {
    let backend = try backend(.bfloat16)
    let x = try backend.upload([1, 2, 3], rows: 1, columns: 3, kind: .activation)
    let y = try backend.upload([0, 0, 0], rows: 1, columns: 3, kind: .activation)
    try backend.add(x, to: y)
    let recorded = try #require(try backend.record { try backend.add(x, to: y) })
    for _ in 0..<3 { try recorded.replay() }
    #expect(try backend.download(y) == [4, 8, 12])
  }

  /// Ten thousand steps take no more memory than the first ones.
  @Test func noLeak() throws {
    let model = try ModelFixtures.model("gpt2", on: try backend(.bfloat16))
    let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1, 2], count: 1, rank: 4), seed: 1)
    var options = TrainingOptions()
    options.epochs = 1000
    options.batchSize = 4
    var hooks = TrainingHooks()
    var used: [Int] = []
    hooks.progress = { progress in
      if progress.step == 100 || progress.step % 5000 == 0 { used.append(model.backend.memory.peak) }
    }
    let examples = (0..<40).map { number in
      TrainingExample(text: (0..<(4 + number % 9)).map { (number * 7 + $0 * 13) % 290 })
    }
    try model.train(adapter, on: examples, options: options, hooks: hooks)
    #expect(used.count == 3 && Set(used).count == 1)
  }

  /// A run of 200 steps in bf16 stays within its storage's noise of the CPU's 32 bits.
  @Test func lossCurve() throws {
    let examples = (0..<40).map { number in
      TrainingExample(text: (0..<24).map { (number * 7 + $0 * 13 + $0 * $0) % 290 })
    }
    var options = TrainingOptions()
    options.epochs = 40
    options.learningRate = 2e-3
    var curves: [[Double]] = []
    for backend in [try backend(.bfloat16), try CPUBackend(precision: .float32)] as [any Backend] {
      let model = try ModelFixtures.model("llama-mha", on: backend)
      let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1, 2], count: 2, rank: 8), seed: 1)
      curves.append(try model.train(adapter, on: examples, options: options).losses)
    }
    #expect(curves[0].count == 200)
    for (own, expected) in zip(curves[0], curves[1]) { #expect(abs(own - expected) < 0.02 * expected) }
  }
}
