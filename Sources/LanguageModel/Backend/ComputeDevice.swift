/// Where a model computes: memory, and what multiplies in it.
///
/// One thread at a time uses a device and the models that were made on it; several models may share one.
public struct ComputeDevice {
  package let backend: any Backend

  /// A device that computes with a back end.
  package init(_ backend: any Backend) { self.backend = backend }

  /// The processors of this machine.
  ///
  /// - Parameters:
  ///   - precision: arithmetic of matrix products. Default: bf16 where the processor multiplies it, else 32 bits.
  ///   - threads: default: the number of processors.
  ///   - memoryLimit: most bytes of weights, activations and gradients. Default: what the machine has.
  /// - Throws: ``BackendError`` (`unavailable`) where threads or their memory are refused.
  public static func cpu(
    precision: CPUPrecision = .automatic, threads: Int? = nil, memoryLimit: Int? = nil
  ) throws -> ComputeDevice {
    ComputeDevice(try CPUBackend(precision: precision, threads: threads, memoryLimit: memoryLimit))
  }

  /// An NVIDIA GPU (Ampere or later), numbered from 0 as CUDA counts the visible ones; activations and frozen weights in
  /// bf16.
  ///
  /// - Parameters:
  ///   - index: the device's number.
  ///   - memoryLimit: most bytes of device memory. Default: nearly all that is free now.
  /// - Throws: ``CUDAError`` (`unavailable` where driver, libraries or device are missing), ``BackendError``
  ///   (`outOfMemory`).
  public static func cuda(_ index: Int, memoryLimit: Int? = nil) throws -> ComputeDevice {
    ComputeDevice(try CUDABackend(device: index, memoryLimit: memoryLimit))
  }

  /// What computes, for logs: "cpu (avx512-f32, 2 threads)", "cuda:0 (NVIDIA H200, bfloat16)".
  public var name: String { backend.name }

  /// Memory in use now, at most so far, and the limit, in bytes.
  public var memory: BackendMemory { backend.memory }
}
