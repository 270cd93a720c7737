/// A tensor in device memory.
///
/// Activations are bf16 or 32-bit, everything else has 32 bits.
final class CUDATensor: Tensor {
  let buffer: CUDABuffer
  /// Bytes from the beginning of the buffer.
  let offset: Int

  init(rows: Int, columns: Int, kind: ElementKind, buffer: CUDABuffer, offset: Int = 0) {
    self.buffer = buffer
    self.offset = offset
    super.init(rows: rows, columns: columns, kind: kind)
  }

  var address: DevicePointer { buffer.address + DevicePointer(offset) }

  /// Part of this tensor (32-bit elements) as a matrix of its own.
  func view(offset elements: Int, rows: Int, columns: Int) -> CUDATensor {
    CUDATensor(rows: rows, columns: columns, kind: kind, buffer: buffer, offset: offset + elements * 4)
  }
}

/// A weight matrix in device memory, stored as activations are.
final class CUDAMatrix: WeightMatrix {
  /// The elements that products read: [out, in], or [in, out] where `liesTransposed`.
  let values: CUDABuffer
  let liesTransposed: Bool

  init(outputs: Int, inputs: Int, parameter: Tensor?, values: CUDABuffer, liesTransposed: Bool) {
    self.values = values
    self.liesTransposed = liesTransposed
    super.init(outputs: outputs, inputs: inputs, parameter: parameter)
  }

  /// Elements from one row of memory to the next.
  var stride: Int { liesTransposed ? outputs : inputs }
}
