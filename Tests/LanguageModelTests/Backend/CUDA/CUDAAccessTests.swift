import CUDAEmulation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// Every access of the kernels is aligned, within its memory and of something that was written.
  ///
  /// A barrier orders it against every other thread's. What compute-sanitizer checks on a device.
  struct Accesses {
    /// The checks find every planted fault, and nothing where there is none.
    @Test(arguments: [
      ("planted_nothing", ""), ("planted_nothing_in_warps", ""), ("planted_nothing_overwritten", ""),
      ("planted_nothing_copied", ""), ("planted_missing_barrier", "that nothing orders"),
      ("planted_early_overwrite", "that nothing orders"), ("planted_shuffle_as_barrier", "that nothing orders"),
      ("planted_same_place_in_two_blocks", "two writes that nothing orders"),
      ("planted_unwritten_memory", "a read of what nobody has written"),
      ("planted_unwritten_shared", "a read of what nobody has written"),
      ("planted_read_beyond", "an access outside every allocation"),
      ("planted_misaligned", "an access that is not aligned"),
      ("planted_copy_not_awaited", "an asynchronous copy is on its way"),
      ("planted_copy_without_barrier", "that nothing orders"),
    ])
    func planted(_ kernel: String, _ expected: String) throws {
      try EmulatedCUDA.run {
        for reversed: Int32 in [0, 1] {
          cuda_emulation_reverse_order(reversed)
          let found = String(cString: cuda_emulation_run_planted(kernel))
          #expect(expected.isEmpty ? found.isEmpty : found.contains(expected), "\(kernel): '\(found)'")
        }
      }
    }

    /// Every kernel: by the whole contract and shapes of several tiles, products without cuBLASLt, weights of every element
    /// type, and whole models.
    @Test(arguments: [CUDABackend.Precision.float32, .bfloat16])
    func everyKernel(_ precision: CUDABackend.Precision) throws {
      try EmulatedCUDA.run {
        cuda_emulation_check_accesses(1)
        let before = cuda_emulation_checked_accesses()
        try contract(precision)
        for name in ["gpt2", "llama-gqa"] { try models(name, precision) }
        #expect(cuda_emulation_checked_accesses() - before > 1_000_000)
        let left = String(cString: cuda_emulation_never_checked(precision == .bfloat16 ? 1 : 0))
        #expect(left.isEmpty, "not checked: \(left)")
      }
    }

    private func contract(_ precision: CUDABackend.Precision) throws {
      let tolerance = precision == .float32 ? 3e-5 : 2e-2
      let backend = try EmulatedCUDA.backend(precision)
      try BackendConformance.run(on: backend, tolerance: tolerance)
      let suite = BackendConformance(backend: backend, tolerance: tolerance)
      try suite.attention(AttentionShape(heads: 2, keyValueHeads: 1, headSize: 128), [130, 1, 64])
      try suite.attention(AttentionShape(heads: 1, keyValueHeads: 1, headSize: 80), [33, 97])
      try suite.rows(3, 2600)
      try suite.manySequences(70)
      for type in [WeightElementType.float32, .bfloat16, .float16] {
        let weight = StoredWeight((0..<77).map { Float($0 % 8) }, shape: [7, 11], type: type)
        _ = try backend.makeMatrix([weight], layout: .outputsByInputs, parameter: nil)
      }
      // Another backend: the first one keeps the algorithms that it has found.
      cuda_emulation_decline_products(1)
      try BackendConformance(backend: try EmulatedCUDA.backend(precision), tolerance: tolerance).products()
      cuda_emulation_decline_products(0)
    }

    /// Steps of training, of LoRA and of all weights, and generation with graphs.
    private func models(_ name: String, _ precision: CUDABackend.Precision) throws {
      let example = TrainingExample(text: [5, 9, 200, 7, 7, 31, 9, 4, 100, 61, 62, 63])
      var options = TrainingOptions()
      options.epochs = 2
      let backend = try EmulatedCUDA.backend(precision)
      let model = try ModelFixtures.model(name, on: backend)
      let adapter = try model.makeAdapter(AdapterPlan(layers: [0, 1], count: 2, rank: 4), seed: 3)
      let losses = try model.train(adapter, on: [example, example], options: options).losses
      #expect(losses.count == 2 && losses.allSatisfy(\.isFinite))
      let generation = GenerationOptions(maximumNewTokens: 6, stopIDs: [])
      let replies = try model.generate([[5, 9, 200], [7]], options: generation, adapters: [adapter])
      #expect(replies.map(\.ids.count) == [6, 6])
      let whole = try ModelFixtures.model(name, on: backend, trainable: true)
      #expect(try whole.train(on: [example, example], options: options).losses.allSatisfy(\.isFinite))
    }
  }
}
