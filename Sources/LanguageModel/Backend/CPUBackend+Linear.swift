// Linear layers; see `Backend` for the meaning of each operation.

import CKernels

extension CPUBackend {
  /// A left operand or an output: `rows` x `columns` at `pointer`, with strides.
  struct Strided {
    let pointer: UnsafePointer<Float>
    let rowStride: Int
    let columnStride: Int

    init(_ pointer: UnsafePointer<Float>, _ rowStride: Int, _ columnStride: Int = 1) {
      self.pointer = pointer
      self.rowStride = rowStride
      self.columnStride = columnStride
    }
    /// The transpose.
    var transposed: Strided { Strided(pointer, columnStride, rowStride) }
  }

  /// C [m, n] (+)= scale · A [m, k] · B [k, n] + bias.
  func product(
    _ m: Int, _ n: Int, _ k: Int, scale: Float = 1, _ a: Strided, _ b: lm_operand, bias: UnsafePointer<Float>? = nil,
    accumulate: Bool, into c: UnsafeMutablePointer<Float>, stride: Int, exact: Bool
  ) throws {
    let mode = exact || precision == .float32 ? LM_F32 : LM_BF16
    var product = lm_product(
      m: m, n: n, k: k, alpha: scale, a: a.pointer, a_row_stride: a.rowStride, a_column_stride: a.columnStride, b: b,
      bias: bias, accumulate: accumulate, c: c, c_row_stride: stride)
    guard lm_gemm(context, Int32(mode), &product) else { throw scratchRefused() }
  }

  /// B given as a plain matrix of 32-bit numbers.
  func plain(_ b: Strided) -> lm_operand {
    lm_operand(
      data: UnsafeRawPointer(b.pointer), row_stride: b.rowStride, column_stride: b.columnStride, inputs: 0, outputs: 0,
      kind: Int32(LM_OPERAND_F32))
  }

  private func strided(_ part: CPUMatrix.Part) -> Strided {
    Strided(part.pointer.assumingMemoryBound(to: Float.self), part.rowStride, part.columnStride)
  }

  func packedOperand(_ buffer: CPUBuffer, inputs: Int, outputs: Int, kind: Int = LM_OPERAND_PACKED) -> lm_operand {
    lm_operand(
      data: buffer.pointer, row_stride: 0, column_stride: 0, inputs: inputs, outputs: outputs, kind: Int32(kind))
  }

  /// y [rows, stride …] (+)= x · Wᵀ + bias.
  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, _ weight: WeightMatrix, bias: UnsafePointer<Float>?,
    into y: UnsafeMutablePointer<Float>, stride: Int, accumulate: Bool
  ) throws {
    let matrix = unsafeDowncast(weight, to: CPUMatrix.self)
    let (inputs, outputs) = (matrix.inputs, matrix.outputs)
    let left = Strided(x, inputs)
    if let packed = try packed(matrix) {
      return try product(
        rows, outputs, inputs, left, packedOperand(packed, inputs: inputs, outputs: outputs), bias: bias,
        accumulate: accumulate, into: y, stride: stride, exact: false)
    }
    for part in matrix.parts {
      try product(
        rows, part.rows, inputs, left, plain(strided(part).transposed), bias: bias.map { $0 + part.first },
        accumulate: accumulate, into: y + part.first, stride: stride, exact: false)
    }
  }

  /// dx (+)= dy [rows, stride …] · W.
  func multiplyTransposed(
    _ dy: UnsafePointer<Float>, stride: Int, rows: Int, _ weight: WeightMatrix, into dx: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) throws {
    let matrix = unsafeDowncast(weight, to: CPUMatrix.self)
    let (inputs, outputs) = (matrix.inputs, matrix.outputs)
    if let packed = try packed(matrix) {
      let right =
        transposed(matrix, packed: packed).map { packedOperand($0, inputs: outputs, outputs: inputs) }
        ?? packedOperand(packed, inputs: inputs, outputs: outputs, kind: LM_OPERAND_PACKED_TRANSPOSED)
      return try product(
        rows, inputs, outputs, Strided(dy, stride), right, accumulate: accumulate, into: dx, stride: inputs,
        exact: false)
    }
    for part in matrix.parts {
      try product(
        rows, inputs, part.rows, Strided(dy + part.first, stride), plain(strided(part)),
        accumulate: accumulate || part.first > 0, into: dx, stride: inputs, exact: false)
    }
  }

  package func linear(_ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, into y: Tensor, accumulate: Bool) throws {
    try multiply(
      floats(x), rows: x.rows, weight, bias: bias.map { UnsafePointer(floats($0)) }, into: floats(y), stride: y.columns,
      accumulate: accumulate)
  }

  package func linearInputGradient(_ dy: Tensor, _ weight: WeightMatrix, into dx: Tensor, accumulate: Bool) throws {
    try multiplyTransposed(
      floats(dy), stride: dy.columns, rows: dy.rows, weight, into: floats(dx), accumulate: accumulate)
  }

  /// dW += dyᵀ·x, dbias += column sums; dy [rows, stride …], x [rows, inputs].
  func addWeightGradient(
    _ dy: UnsafePointer<Float>, stride: Int, _ x: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int,
    weight: Tensor, bias: Tensor?
  ) throws {
    try product(
      outputs, inputs, rows, Strided(dy, 1, stride), plain(Strided(x, inputs)), accumulate: true,
      into: floats(weight), stride: inputs, exact: false)
    if let bias {
      lm_add_columns(
        context, lm_column_sum(rows: rows, columns: outputs, row_stride: stride, x: dy, y: floats(bias)))
    }
  }

  package func linearWeightGradient(_ dy: Tensor, _ x: Tensor, weightGradient: Tensor, biasGradient: Tensor?) throws {
    try addWeightGradient(
      floats(dy), stride: dy.columns, floats(x), rows: x.rows, outputs: dy.columns, inputs: x.columns,
      weight: weightGradient, bias: biasGradient)
  }
}
