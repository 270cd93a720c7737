import CUDAEmulation
import Foundation
import Testing

@testable import LanguageModel

/// All tests on the emulated device: it is one for the whole process, so that they run one after another.
@Suite(.serialized, .bounded) struct EmulatedCUDATests {}

/// The emulated device: the backend's own code on top of entry points that compute on the processor.
enum EmulatedCUDA {
  static let symbols = CUDASymbols { (_, _, name) throws(CUDAError) in
    guard let address = cuda_emulation_symbol(name) else {
      throw CUDAError(.unavailable, call: name, "not emulated")
    }
    return address
  }

  /// A backend on a fresh emulated device.
  static func backend(
    _ precision: CUDABackend.Precision, memoryLimit: Int? = nil, cache: URL? = nil, stagingChunk: Int = 1 << 20
  ) throws -> CUDABackend {
    try CUDABackend(
      device: 0, precision: precision, memoryLimit: memoryLimit, symbols: symbols, cache: cache,
      stagingChunk: stagingChunk)
  }

  /// Runs `body` and checks afterwards that nothing was done that a device would not forgive, and that nothing is left.
  static func run(_ body: () throws -> Void) throws {
    cuda_emulation_reset()
    defer { cuda_emulation_reset() }
    let before = (cuda_emulation_allocations(), cuda_emulation_other_objects())
    try body()
    let complaint = String(cString: cuda_emulation_complaint())
    #expect(complaint.isEmpty, "the emulated device: \(complaint)")
    #expect(cuda_emulation_allocations() == before.0, "device memory was left behind")
    #expect(
      cuda_emulation_other_objects() == before.1, "contexts, streams, events, modules or descriptors were left behind")
  }
}
