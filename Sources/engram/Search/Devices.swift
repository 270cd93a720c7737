import Foundation
import LanguageModel
import Study

/// Where a worker computes.
enum Devices {
  /// The backend of a device: `cpu`.
  static func backend(
    _ device: String, precision: StudyConfiguration.Precision, threads: Int?
  ) throws -> any Backend {
    guard device == "cpu" else {
      throw BackendError(.unavailable, "device '\(device)': this build computes on cpu only. Use --device cpu")
    }
    let wanted: CPUPrecision =
      switch precision {
      case .automatic: .automatic
      case .f32: .float32
      case .bf16: .bfloat16
      }
    return try CPUBackend(precision: wanted, threads: threads)
  }

  /// Main memory in bytes.
  static var memoryBytes: Int64 { Int64(ProcessInfo.processInfo.physicalMemory) }
}
