import Foundation

/// The backend for NVIDIA GPUs (Ampere and later): own kernels compiled at run time, large products by cuBLASLt.
///
/// Nothing of CUDA is linked: the driver, NVRTC and cuBLASLt are opened when a backend is made, so that the same binary
/// runs where there is no CUDA. Activations and frozen weights are bf16 with sums in 32 bits (`.bfloat16`), or 32-bit
/// throughout, without TF32 (`.float32`, for checking). Everything is queued on one stream.
package final class CUDABackend: Backend {
  /// What activations and frozen weights are stored as.
  package enum Precision: String, Sendable { case float32, bfloat16 }

  package let precision: Precision
  /// The device.
  package var device: CUDADevice { context.device }
  let context: CUDAContext
  let pool: CUDAMemory
  let kernels: KernelLibrary
  let products: MatrixProducts
  let staging: WeightStaging

  /// Opens device `index` as CUDA counts them.
  ///
  /// - Parameters:
  ///   - precision: default `.bfloat16`.
  ///   - memoryLimit: most bytes of device memory; default nearly all that is free now.
  /// - Throws: `CUDAError` (`unavailable` when driver, libraries or device are missing, and where they were looked for),
  ///   `BackendError` (`outOfMemory`).
  package convenience init(device index: Int, precision: Precision = .bfloat16, memoryLimit: Int? = nil) throws {
    try self.init(
      device: index, precision: precision, memoryLimit: memoryLimit, symbols: .shared, cache: Self.standardCache)
  }

  init(
    device index: Int, precision: Precision, memoryLimit: Int?, symbols: CUDASymbols, cache: URL?,
    stagingChunk: Int = 32 << 20
  ) throws {
    self.precision = precision
    context = try CUDAContext(index: index, symbols: symbols)
    let compiler = try KernelCompiler(symbols, driverVersion: context.driverVersion)
    pool = try CUDAMemory(context: context, limit: memoryLimit)
    kernels = try KernelLibrary(
      context: context, compiler: compiler, bfloat16: precision == .bfloat16, cache: cache)
    products = try MatrixProducts(symbols, memory: pool, kernels: kernels, bfloat16: precision == .bfloat16)
    staging = WeightStaging(context: context, chunk: stagingChunk)
  }

  /// Folder of compiled kernels: `engram/cuda` in the user's cache folder.
  static var standardCache: URL? {
    let environment = ProcessInfo.processInfo.environment
    let root =
      environment["XDG_CACHE_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? environment["HOME"].map { "\($0)/.cache" }
    return root.map { URL(fileURLWithPath: $0, isDirectory: true).appendingPathComponent("engram/cuda") }
  }

  package var name: String { "cuda:\(device.index) (\(device.name), \(precision.rawValue))" }
  package var memory: BackendMemory { pool.status }

  package var activationBytes: Int { precision == .bfloat16 ? 2 : 4 }
  var activationSize: Int { activationBytes }
  // A quarter of what is free: the rest is for what trains, for logits and for scratch memory.
  package var preferredPassBytes: Int {
    let memory = memory
    return max(0, (memory.limit ?? 0) - memory.used) / 4
  }

  package func synchronize() throws { try context.synchronize() }
  package func releaseCachedMemory() { pool.releaseKept() }

  // MARK: Access for the operations

  /// Where the tensor's elements are, for reading.
  func reading(_ tensor: Tensor) -> DevicePointer { unsafeDowncast(tensor, to: CUDATensor.self).address }
  func reading(_ tensor: Tensor?) -> DevicePointer? { tensor.map { reading($0) } }

  /// The same for writing: whatever was derived from the elements is out of date.
  func writing(_ tensor: Tensor) -> DevicePointer {
    let tensor = unsafeDowncast(tensor, to: CUDATensor.self)
    tensor.buffer.version += 1
    return tensor.address
  }
  func writing(_ tensor: Tensor?) -> DevicePointer? { tensor.map { writing($0) } }

  /// A parameter as products want it: itself in 32 bits, else its place in the bf16 copy of the whole buffer.
  ///
  /// The copy is renewed when something wrote into the buffer: once per step for all parameters of an arena, and not even
  /// then where the optimizer wrote it (see `adamW`).
  func operand(_ parameter: Tensor) throws -> DevicePointer {
    guard precision == .bfloat16 else { return reading(parameter) }
    let tensor = unsafeDowncast(parameter, to: CUDATensor.self)
    let buffer = tensor.buffer
    let place = DevicePointer(tensor.offset / 2)
    if let narrowed = buffer.narrowed, narrowed.version == buffer.version { return narrowed.copy.address + place }
    let copy = try buffer.narrowed?.copy ?? CUDABuffer(bytes: buffer.bytes / 2, memory: pool)
    try convert(buffer.address, .float32, to: copy.address, .bfloat16, count: buffer.bytes / 4)
    buffer.narrowed = (copy, buffer.version)
    return copy.address + place
  }

  /// Converts elements on the device.
  func convert(
    _ source: DevicePointer, _ from: WeightElementType, to target: DevicePointer, _ to: WeightElementType, count: Int
  ) throws {
    func code(_ type: WeightElementType) -> Int {
      switch type {
      case .float32: 0
      case .bfloat16: 1
      case .float16: 2
      }
    }
    try kernels.launch(
      .convert, count: (count + 7) / 8,
      [.long(count), .int(code(from)), .int(code(to)), .pointer(source), .pointer(target)])
  }
}
