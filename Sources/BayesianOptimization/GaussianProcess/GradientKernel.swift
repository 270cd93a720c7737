import CKernels

/// The versions of the log-joint kernel, by the instructions they need.
package enum GradientKernel: Int, Sendable, CaseIterable {
  case portable = 0
  case avx2 = 1
  case avx512 = 2

  /// The fastest version that this processor runs.
  package static var best: GradientKernel { GradientKernel(rawValue: Int(engram_saas_best_version())) ?? .portable }
  /// The versions that this processor runs.
  package static var available: [GradientKernel] { allCases.filter { $0.rawValue <= best.rawValue } }
}
