import CKernels

/// Arithmetic of the CPU backend's matrix products.
///
/// Everything else is always computed in 32 bits.
public enum CPUPrecision: String, Sendable, CaseIterable {
  /// `.bfloat16` where the processor multiplies bf16 (AMX tiles or AVX512_BF16), else `.float32`.
  case automatic
  /// Weights and products in 32 bits: the exact path.
  case float32
  /// Frozen weights packed as bf16, activations rounded to bf16 where the processor multiplies bf16; sums in 32 bits.
  case bfloat16
}

/// Instruction sets that the CPU kernels are written for, slowest first; each includes the ones before it.
package enum CPUPath: Int32, Sendable, CaseIterable, Comparable, CustomStringConvertible {
  case portable = 0
  case avx2 = 1
  case avx512 = 2
  case avx512bf16 = 3
  case amxbf16 = 4
  /// Tests only: the tile kernels with tiles emulated in plain C.
  case amxEmulated = 5

  /// The fastest path of this processor.
  ///
  /// Tiles are probed by running an instruction in a child process, because virtual machines hide the CPUID leaves; the
  /// result is kept.
  package static var best: CPUPath { CPUPath(rawValue: lm_best_isa()) ?? .portable }

  /// Paths that run on this processor, slowest first.
  package static var available: [CPUPath] { allCases.filter { $0 <= best } }

  /// Whether products of bf16 numbers are faster than 32-bit ones on this path.
  package var multipliesBFloat16: Bool { self >= .avx512bf16 }

  package static func < (left: CPUPath, right: CPUPath) -> Bool { left.rawValue < right.rawValue }

  /// "portable", "avx2", "avx512", "avx512-bf16", "amx-bf16".
  package var description: String { String(cString: lm_isa_name(rawValue)) }
}
