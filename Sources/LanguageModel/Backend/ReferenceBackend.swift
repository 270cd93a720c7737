import Glibc

/// The slow, readable backend that defines what every operation means: 32-bit storage, sums in 64 bits, one thread.
///
/// Other backends are tested against it; it also runs tiny models where nothing faster is there.
package final class ReferenceBackend: Backend {
  private let allocator: ReferenceAllocator

  /// A backend that refuses to hold more than `memoryLimit` bytes (nil: no limit).
  package init(memoryLimit: Int? = nil) {
    allocator = ReferenceAllocator(limit: memoryLimit)
  }

  package var name: String { "reference" }
  package var memory: BackendMemory { allocator.memory }

  package func synchronize() throws {}
  package func releaseCachedMemory() {}

  package func makeTensor(rows: Int, columns: Int, kind: ElementKind) throws -> Tensor {
    try ReferenceTensor(rows: rows, columns: columns, kind: kind, allocator: allocator)
  }

  package func view(of tensor: Tensor, offset: Int, rows: Int, columns: Int) throws -> Tensor {
    precondition(offset + rows * columns <= tensor.count, "a view beyond the end of its tensor")
    return ReferenceTensor(viewing: tensor, offset: offset, rows: rows, columns: columns)
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
    floats(tensor).update(from: values, count: values.count)
  }

  package func write(indices: [Int32], to tensor: Tensor) throws {
    precondition(indices.count == tensor.count, "\(indices.count) indices for \(tensor.count) elements")
    integers(tensor).update(from: indices, count: indices.count)
  }

  package func download(_ tensor: Tensor) throws -> [Float] {
    Array(UnsafeBufferPointer(start: floats(tensor), count: tensor.count))
  }

  package func download(indices tensor: Tensor) throws -> [Int32] {
    Array(UnsafeBufferPointer(start: integers(tensor), count: tensor.count))
  }

  package func fill(_ tensor: Tensor, with value: Float) throws {
    floats(tensor).update(repeating: value, count: tensor.count)
  }

  package func makeMatrix(_ sources: [any WeightSource], layout: WeightLayout, parameter: Tensor?) throws
    -> WeightMatrix
  {
    let (outputs, inputs) = WeightReader.size(of: sources, layout: layout)
    let target = try parameter ?? makeTensor(rows: outputs, columns: inputs, kind: .parameter)
    WeightReader.read(
      sources, layout: layout, into: UnsafeMutableBufferPointer(start: floats(target), count: target.count))
    return ReferenceMatrix(outputs: outputs, inputs: inputs, parameter: parameter, values: target)
  }

  package func makeMatrix(parameter: Tensor) throws -> WeightMatrix {
    ReferenceMatrix(outputs: parameter.rows, inputs: parameter.columns, parameter: parameter, values: parameter)
  }

  package func refresh(_ matrices: [WeightMatrix]) throws {}

  // MARK: Access for the operations

  func floats(_ tensor: Tensor) -> UnsafeMutablePointer<Float> {
    unsafeDowncast(tensor, to: ReferenceTensor.self).memory.assumingMemoryBound(to: Float.self)
  }

  func integers(_ tensor: Tensor) -> UnsafeMutablePointer<Int32> {
    unsafeDowncast(tensor, to: ReferenceTensor.self).memory.assumingMemoryBound(to: Int32.self)
  }

  func floats(_ matrix: WeightMatrix) -> UnsafeMutablePointer<Float> {
    floats(unsafeDowncast(matrix, to: ReferenceMatrix.self).values)
  }
}

final class ReferenceMatrix: WeightMatrix {
  let values: Tensor

  init(outputs: Int, inputs: Int, parameter: Tensor?, values: Tensor) {
    self.values = values
    super.init(outputs: outputs, inputs: inputs, parameter: parameter)
  }
}

final class ReferenceTensor: Tensor {
  let memory: UnsafeMutableRawPointer
  private let owner: Tensor?
  private let allocator: ReferenceAllocator?

  init(rows: Int, columns: Int, kind: ElementKind, allocator: ReferenceAllocator) throws {
    memory = try allocator.allocate(bytes: rows * columns * 4)
    owner = nil
    self.allocator = allocator
    super.init(rows: rows, columns: columns, kind: kind)
  }

  init(viewing tensor: Tensor, offset: Int, rows: Int, columns: Int) {
    memory = unsafeDowncast(tensor, to: ReferenceTensor.self).memory + offset * 4
    owner = tensor
    allocator = nil
    super.init(rows: rows, columns: columns, kind: tensor.kind)
  }

  deinit { allocator?.free(memory, bytes: count * 4) }
}

/// Counts bytes and refuses beyond the limit.
final class ReferenceAllocator {
  private(set) var memory: BackendMemory

  init(limit: Int?) { memory = BackendMemory(used: 0, peak: 0, limit: limit) }

  func allocate(bytes: Int) throws -> UnsafeMutableRawPointer {
    if let limit = memory.limit, memory.used + bytes > limit { throw BackendError.outOfMemory(bytes, memory: memory) }
    guard let pointer = malloc(max(bytes, 4)) else { throw BackendError.outOfMemory(bytes, memory: memory) }
    memory.used += bytes
    memory.peak = max(memory.peak, memory.used)
    return pointer
  }

  func free(_ pointer: UnsafeMutableRawPointer, bytes: Int) {
    memory.used -= bytes
    releaseMemory(pointer)
  }
}

private func releaseMemory(_ pointer: UnsafeMutableRawPointer) { free(pointer) }
