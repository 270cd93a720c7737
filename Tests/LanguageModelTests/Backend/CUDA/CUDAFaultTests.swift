import CUDAEmulation
import Testing

@testable import LanguageModel

extension EmulatedCUDATests {
  /// What a device refuses without being lost by it.
  struct Refusals {
    private func ones(_ backend: CUDABackend) throws -> Tensor {
      try backend.upload([1, 1, 1], rows: 1, columns: 3, kind: .activation)
    }

    /// A kernel's code that finds no memory is lack of memory, not a broken device; the next try is as good as ever.
    @Test func codeThatFindsNoMemory() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32)
        let x = try ones(backend)
        cuda_emulation_refuse_memory(1)
        let error = #expect(throws: CUDAError.self) { try backend.add(x, to: x) }
        #expect(error?.code == .outOfMemory)
        #expect(error?.status == 2)
        #expect(error?.call.hasPrefix("cuModuleLoadData(activation.cu") == true)
        try backend.add(x, to: x)
        #expect(try backend.download(x) == [2, 2, 2])
      }
    }

    /// A graph that finds no memory is done without.
    @Test func aGraphThatFindsNoMemory() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32)
        let x = try ones(backend)
        try backend.add(x, to: x)
        cuda_emulation_refuse_memory(1)
        #expect(try backend.record { try backend.add(x, to: x) } == nil)
        let recorded = try #require(try backend.record { try backend.add(x, to: x) })
        try recorded.replay()
        #expect(try backend.download(x) == [4, 4, 4])
      }
    }

    /// Not all that is free is given to tensors: CUDA wants some for itself.
    @Test func someMemoryIsLeftToCUDA() throws {
      #expect(CUDAMemory.reserve(80 << 30) == 512 << 20)
      #expect(CUDAMemory.reserve(1 << 30) == 64 << 20)
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.float32)
        #expect(backend.memory.limit == (1 << 30) - (64 << 20))
        #expect(try EmulatedCUDA.backend(.float32, memoryLimit: 100 << 20).memory.limit == 100 << 20)
      }
    }

    /// More shared memory than a block can have is said in words, before the driver is asked.
    @Test func tooMuchSharedMemory() throws {
      try EmulatedCUDA.run {
        let backend = try EmulatedCUDA.backend(.bfloat16)
        #expect(backend.device.sharedMemory == 227 << 10)
        let shape = AttentionShape(heads: 1, keyValueHeads: 1, headSize: 8)
        let capacity = 60_000  // positions: a score of 32 bits each
        let qkv = try backend.makeTensor(rows: 1, columns: shape.columns, kind: .activation)
        let out = try backend.makeTensor(rows: 1, columns: 8, kind: .activation)
        let cache = try backend.makeTensor(rows: capacity, columns: 8, kind: .cache)
        let rows = try CachedRows(slots: [0], lengths: [0], backend: backend)
        let error = #expect(throws: CUDAError.self) {
          try backend.attentionStep(
            qkv, shape, rows: rows, capacity: capacity, keys: cache, values: cache, into: out)
        }
        #expect(error?.code == .unsupported)
        #expect(error?.description.contains("234 KiB of shared memory") == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("can have 227") == true)
      }
    }

    /// An opening that fails half-way leaves nothing behind.
    @Test func aFailedOpeningLeavesNothing() throws {
      try EmulatedCUDA.run {
        for broken in ["cuStreamCreate", "cublasLtCreate", "nvrtcVersion"] {
          // In its place a function that refuses what it is given, or none at all.
          let symbols = CUDASymbols { (library, version, name) throws(CUDAError) in
            guard name == broken else { return try EmulatedCUDA.symbols.address(library, version, name) }
            guard broken != "nvrtcVersion", let refusal = cuda_emulation_symbol("cuMemFreeHost") else {
              throw CUDAError(.unavailable, call: name, "not there")
            }
            return refusal
          }
          let error = #expect(throws: CUDAError.self) {
            _ = try CUDABackend(device: 0, precision: .float32, memoryLimit: nil, symbols: symbols, cache: nil)
          }
          #expect(error?.call == broken)
        }
      }
    }
  }
}
