import CKernels

/// The backend that runs on processors: own vector and matrix kernels, chosen at run time for the instruction set.
///
/// Tensors are row-major 32-bit numbers in 64-byte aligned, recycled memory. Frozen matrices are read in place from
/// their mapped checkpoint (`.float32`, when they lie there in 32 bits) or packed once as bf16 (`.bfloat16`): one copy
/// serves y = xWᵀ and dx = dy·W. Results are the same for any number of threads.
package final class CPUBackend: Backend {
  /// Instruction set in use.
  package let path: CPUPath
  /// Arithmetic of products with frozen weights: `.float32` or `.bfloat16`, never `.automatic`.
  package let precision: CPUPrecision
  /// Threads in use, the caller's included.
  package let threads: Int
  let context: OpaquePointer
  let pool: CPUMemory

  /// - Parameters:
  ///   - precision: arithmetic of matrix products; default `.automatic`.
  ///   - threads: default the number of processors. Worker processes that share a machine should divide them.
  ///   - memoryLimit: most bytes of tensors and weights; default: what the machine has.
  ///   - path: forces a lower instruction set than the processor's best (for tests and diagnosis).
  /// - Throws: `BackendError` when threads or their memory are refused.
  package init(
    precision: CPUPrecision = .automatic, threads: Int? = nil, memoryLimit: Int? = nil, path: CPUPath? = nil
  ) throws {
    let best = CPUPath.best
    let asked = path ?? best
    self.path = asked == .amxEmulated ? asked : min(asked, best)
    switch precision {
    case .automatic: self.precision = self.path.multipliesBFloat16 ? .bfloat16 : .float32
    case .float32, .bfloat16: self.precision = precision
    }
    let count = max(1, threads ?? CPUBackend.processors)
    self.threads = count
    guard let context = lm_context_create(Int32(count), self.path.rawValue) else {
      throw BackendError(.unavailable, "\(count) compute threads could not be started; use fewer threads")
    }
    self.context = context
    pool = CPUMemory(limit: memoryLimit)
  }

  deinit { lm_context_destroy(context) }

  /// Processors that this process may use.
  package static var processors: Int { Int(lm_processors()) }

  package var name: String { "cpu (\(kernels), \(threads) thread\(threads == 1 ? "" : "s"))" }
  /// What computes products.
  ///
  /// For example "amx-bf16", "avx512-bf16", "avx512-f32", "avx2-f32 with bf16 weights".
  package var kernels: String {
    if precision == .bfloat16 {
      return path.multipliesBFloat16 ? "\(path)" : "\(path)-f32 with bf16 weights"
    }
    return path.multipliesBFloat16 ? "avx512-f32" : "\(path)-f32"
  }
  package var memory: BackendMemory { pool.status }

  package func synchronize() throws {}
  package func releaseCachedMemory() { pool.releaseKept() }

  // MARK: Memory

  package func makeTensor(rows: Int, columns: Int, kind: ElementKind) throws -> Tensor {
    try CPUTensor(
      rows: rows, columns: columns, kind: kind, elementBytes: kind == .cache ? cacheBytes : 4, memory: pool)
  }

  package func view(of tensor: Tensor, offset: Int, rows: Int, columns: Int) throws -> Tensor {
    precondition(offset >= 0 && offset + rows * columns <= tensor.count, "a view beyond the end of its tensor")
    return CPUTensor(
      viewing: unsafeDowncast(tensor, to: CPUTensor.self), offset: offset, rows: rows, columns: columns)
  }

  package func upload(_ values: [Float], rows: Int, columns: Int, kind: ElementKind) throws -> Tensor {
    let tensor = try makeTensor(rows: rows, columns: columns, kind: kind)
    try write(values, to: tensor)
    return tensor
  }

  package func upload(indices: [Int32]) throws -> Tensor {
    let tensor = try makeTensor(rows: 1, columns: indices.count, kind: .index)
    integers(tensor).update(from: indices, count: indices.count)
    return tensor
  }

  package func write(_ values: [Float], to tensor: Tensor) throws {
    precondition(values.count == tensor.count, "\(values.count) values for \(tensor.count) elements")
    guard tensor.kind == .cache, halvesCaches else {
      return floats(tensor).update(from: values, count: values.count)
    }
    values.withUnsafeBufferPointer {
      if let base = $0.baseAddress { HalfPrecision.float32ToBFloat16(base, halves(tensor), values.count) }
    }
  }

  package func write(indices: [Int32], to tensor: Tensor) throws {
    precondition(indices.count == tensor.count, "\(indices.count) indices for \(tensor.count) elements")
    integers(tensor).update(from: indices, count: indices.count)
  }

  package func download(_ tensor: Tensor) throws -> [Float] {
    guard tensor.kind == .cache, halvesCaches else {
      return Array(UnsafeBufferPointer(start: floats(tensor), count: tensor.count))
    }
    return [Float](unsafeUninitializedCapacity: tensor.count) { result, count in
      if let base = result.baseAddress { HalfPrecision.bfloat16ToFloat32(raw(tensor), base, tensor.count) }
      count = tensor.count
    }
  }

  package func download(indices tensor: Tensor) throws -> [Int32] {
    Array(UnsafeBufferPointer(start: integers(tensor), count: tensor.count))
  }

  package func fill(_ tensor: Tensor, with value: Float) throws {
    guard tensor.kind == .cache, halvesCaches else { return lm_fill(context, tensor.count, value, floats(tensor)) }
    try write([Float](repeating: value, count: tensor.count), to: tensor)
  }

  // MARK: Access for the operations

  /// The precision as kernels want it.
  var mode: Int32 { Int32(precision == .float32 ? LM_F32 : LM_BF16) }

  /// Keys and values are kept as bf16 where weights are.
  var halvesCaches: Bool { precision == .bfloat16 }
  package var cacheBytes: Int { halvesCaches ? 2 : 4 }

  func raw(_ tensor: Tensor) -> UnsafeMutableRawPointer { unsafeDowncast(tensor, to: CPUTensor.self).pointer }

  func floats(_ tensor: Tensor) -> UnsafeMutablePointer<Float> { raw(tensor).assumingMemoryBound(to: Float.self) }

  private func halves(_ tensor: Tensor) -> UnsafeMutablePointer<UInt16> {
    raw(tensor).assumingMemoryBound(to: UInt16.self)
  }

  func floats(_ tensor: Tensor?) -> UnsafeMutablePointer<Float>? { tensor.map { floats($0) } }

  func integers(_ tensor: Tensor) -> UnsafeMutablePointer<Int32> {
    unsafeDowncast(tensor, to: CPUTensor.self).pointer.assumingMemoryBound(to: Int32.self)
  }

  /// The error for scratch memory that a kernel was refused.
  func scratchRefused() -> BackendError { .outOfMemory(lm_context_scratch(context), memory: memory) }
}
