// Linear layers and low-rank branches. T tokens, R rank; see `Backend` for the meaning of each operation.

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
  private func product(
    _ m: Int, _ n: Int, _ k: Int, scale: Float = 1, _ a: Strided, _ b: lm_operand, bias: UnsafePointer<Float>? = nil,
    accumulate: Bool, into c: UnsafeMutablePointer<Float>, stride: Int, exact: Bool
  ) throws {
    let mode = exact || precision == .float32 ? LM_F32 : LM_BF16
    guard
      lm_gemm(
        context, Int32(mode), m, n, k, scale, a.pointer, a.rowStride, a.columnStride, b, bias, accumulate, c, stride)
    else { throw scratchRefused() }
  }

  /// B given as a plain matrix of 32-bit numbers.
  private func plain(_ b: Strided) -> lm_operand {
    lm_operand(
      data: UnsafeRawPointer(b.pointer), row_stride: b.rowStride, column_stride: b.columnStride, inputs: 0, outputs: 0,
      kind: Int32(LM_OPERAND_F32))
  }

  private func strided(_ part: CPUMatrix.Part) -> Strided {
    Strided(part.pointer.assumingMemoryBound(to: Float.self), part.rowStride, part.columnStride)
  }

  /// LoRA's own products stay in 32 bits unless tiles make those eight times slower: the adapter is what is trained.
  private var exactAdapters: Bool { path < .amxbf16 }

  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, _ weight: WeightMatrix, bias: UnsafePointer<Float>?,
    into y: UnsafeMutablePointer<Float>, accumulate: Bool
  ) throws {
    let matrix = unsafeDowncast(weight, to: CPUMatrix.self)
    let (inputs, outputs) = (matrix.inputs, matrix.outputs)
    let left = Strided(x, inputs)
    if let packed = try packed(matrix) {
      let right = lm_operand(
        data: packed.pointer, row_stride: 0, column_stride: 0, inputs: inputs, outputs: outputs,
        kind: Int32(LM_OPERAND_PACKED))
      return try product(
        rows, outputs, inputs, left, right, bias: bias, accumulate: accumulate, into: y, stride: outputs, exact: false)
    }
    for part in matrix.parts {
      try product(
        rows, part.rows, inputs, left, plain(strided(part).transposed), bias: bias.map { $0 + part.first },
        accumulate: accumulate, into: y + part.first, stride: outputs, exact: false)
    }
  }

  func multiplyTransposed(
    _ dy: UnsafePointer<Float>, rows: Int, _ weight: WeightMatrix, into dx: UnsafeMutablePointer<Float>,
    accumulate: Bool
  ) throws {
    let matrix = unsafeDowncast(weight, to: CPUMatrix.self)
    let (inputs, outputs) = (matrix.inputs, matrix.outputs)
    if let packed = try packed(matrix) {
      let right = lm_operand(
        data: packed.pointer, row_stride: 0, column_stride: 0, inputs: inputs, outputs: outputs,
        kind: Int32(LM_OPERAND_PACKED_TRANSPOSED))
      return try product(
        rows, inputs, outputs, Strided(dy, outputs), right, accumulate: accumulate, into: dx, stride: inputs,
        exact: false)
    }
    for part in matrix.parts {
      try product(
        rows, inputs, part.rows, Strided(dy + part.first, outputs), plain(strided(part)),
        accumulate: accumulate || part.first > 0, into: dx, stride: inputs, exact: false)
    }
  }

  public func linear(_ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, into y: Tensor, accumulate: Bool) throws {
    try multiply(
      floats(x), rows: x.rows, weight, bias: bias.map { UnsafePointer(floats($0)) }, into: floats(y),
      accumulate: accumulate)
  }

  public func linearInputGradient(_ dy: Tensor, _ weight: WeightMatrix, into dx: Tensor, accumulate: Bool) throws {
    try multiplyTransposed(floats(dy), rows: dy.rows, weight, into: floats(dx), accumulate: accumulate)
  }

  /// dW += dyᵀ·x, dbias += column sums; dy [rows, outputs], x [rows, inputs].
  func addWeightGradient(
    _ dy: UnsafePointer<Float>, _ x: UnsafePointer<Float>, rows: Int, outputs: Int, inputs: Int, weight: Tensor,
    bias: Tensor?
  ) throws {
    try product(
      outputs, inputs, rows, Strided(dy, 1, outputs), plain(Strided(x, inputs)), accumulate: true,
      into: floats(weight), stride: inputs, exact: false)
    if let bias { lm_column_sums(context, rows, outputs, dy, outputs, floats(bias)) }
  }

  public func linearWeightGradient(_ dy: Tensor, _ x: Tensor, weightGradient: Tensor, biasGradient: Tensor?) throws {
    try addWeightGradient(
      floats(dy), floats(x), rows: x.rows, outputs: dy.columns, inputs: x.columns, weight: weightGradient,
      bias: biasGradient)
  }

  public func lora(
    _ x: Tensor, _ a: Tensor, _ b: Tensor, scale: Float, projected u: Tensor, addingTo y: Tensor, columns: Int
  ) throws {
    let (tokens, inputs, rank, outputs) = (x.rows, a.columns, a.rows, b.rows)
    // u [T, R] = x Aᵀ
    try product(
      tokens, rank, inputs, Strided(floats(x), inputs), plain(Strided(floats(a), 1, inputs)), accumulate: false,
      into: floats(u), stride: rank, exact: exactAdapters)
    // y' [T, out] += scale · u Bᵀ
    try product(
      tokens, outputs, rank, scale: scale, Strided(floats(u), rank), plain(Strided(floats(b), 1, rank)),
      accumulate: true, into: floats(y) + columns, stride: y.columns, exact: exactAdapters)
  }

  public func loraBackward(
    _ dy: Tensor, columns: Int, x: Tensor, projected u: Tensor, _ a: Tensor, _ b: Tensor, scale: Float,
    gradients: (a: Tensor, b: Tensor)?, addingTo dx: Tensor?
  ) throws {
    let (tokens, inputs, rank, outputs) = (x.rows, a.columns, a.rows, b.rows)
    let upstream = Strided(floats(dy) + columns, dy.columns)
    let du = try CPUBuffer(bytes: tokens * rank * 4, memory: pool)
    let pointer = du.pointer.assumingMemoryBound(to: Float.self)
    // du [T, R] = scale · dy' B
    try product(
      tokens, rank, outputs, scale: scale, upstream, plain(Strided(floats(b), rank)), accumulate: false, into: pointer,
      stride: rank, exact: exactAdapters)
    if let gradients {
      // dB [out, R] += scale · dy'ᵀ u; dA [R, in] += duᵀ x
      try product(
        outputs, rank, tokens, scale: scale, upstream.transposed, plain(Strided(floats(u), rank)), accumulate: true,
        into: floats(gradients.b), stride: rank, exact: exactAdapters)
      try product(
        rank, inputs, tokens, Strided(pointer, 1, rank), plain(Strided(floats(x), inputs)), accumulate: true,
        into: floats(gradients.a), stride: inputs, exact: exactAdapters)
    }
    guard let dx else { return }
    // dx [T, in] += du A
    try product(
      tokens, inputs, rank, Strided(pointer, rank), plain(Strided(floats(a), inputs)), accumulate: true,
      into: floats(dx), stride: inputs, exact: exactAdapters)
  }
}
