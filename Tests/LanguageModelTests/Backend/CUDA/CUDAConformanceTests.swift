import CUDAEmulation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// The CUDA backend against the contract, on the emulated device.
  struct Conformance {
    @Test func float32() throws {
      try EmulatedCUDA.run {
        try BackendConformance.run(on: try EmulatedCUDA.backend(.float32), tolerance: 3e-5)
      }
    }

    @Test func bfloat16() throws {
      try EmulatedCUDA.run {
        try BackendConformance.run(on: try EmulatedCUDA.backend(.bfloat16), tolerance: 2e-2)
      }
    }

    /// Shapes beyond the contract's: heads of 128, several tiles of queries and keys, more rows than a launch takes.
    @Test(arguments: [CUDABackend.Precision.float32, .bfloat16])
    func largeShapes(_ precision: CUDABackend.Precision) throws {
      try EmulatedCUDA.run {
        let suite = BackendConformance(
          backend: try EmulatedCUDA.backend(precision), tolerance: precision == .float32 ? 3e-5 : 2e-2)
        try suite.attention(AttentionShape(heads: 2, keyValueHeads: 1, headSize: 128), [130, 1, 64])
        try suite.attention(AttentionShape(heads: 1, keyValueHeads: 1, headSize: 80), [33, 97])
        try suite.rows(3, 2600)
        try suite.manySequences(70)
      }
    }

    /// Heads of 128 on the devices that give a block the least shared memory (compute capability 8.6, 8.9, 12.0).
    @Test(arguments: [CUDABackend.Precision.float32, .bfloat16])
    func littleSharedMemory(_ precision: CUDABackend.Precision) throws {
      try EmulatedCUDA.run {
        cuda_emulation_set_shared_memory(99 << 10)
        let suite = BackendConformance(
          backend: try EmulatedCUDA.backend(precision), tolerance: precision == .float32 ? 3e-5 : 2e-2)
        try suite.attention(AttentionShape(heads: 2, keyValueHeads: 1, headSize: 128), [130, 1, 64])
      }
    }

    /// The results do not depend on the order in which blocks, warps and lanes run: no barrier is missing that either
    /// order would show.
    @Test(arguments: [CUDABackend.Precision.float32, .bfloat16])
    func anyOrder(_ precision: CUDABackend.Precision) throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(precision)
        var seen: [[[Float]]] = []
        for reversed: Int32 in [0, 1] {
          cuda_emulation_reverse_order(reversed)
          seen.append(try BackendConformance.results(on: backend))
        }
        #expect(seen[0] == seen[1])
      }
    }

    /// Where cuBLASLt has no algorithm, a plain kernel computes the product.
    @Test(arguments: [CUDABackend.Precision.float32, .bfloat16])
    func withoutProducts(_ precision: CUDABackend.Precision) throws {
      try EmulatedCUDA.run {
        cuda_emulation_decline_products(1)
        let before = cuda_emulation_products()
        let suite = BackendConformance(
          backend: try EmulatedCUDA.backend(precision), tolerance: precision == .float32 ? 3e-5 : 2e-2)
        try suite.products()
        #expect(cuda_emulation_products() == before)
      }
    }
  }
}
