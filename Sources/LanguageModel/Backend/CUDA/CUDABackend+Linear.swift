// Linear layers and LoRA as products. T tokens, R rank; see `Backend` for the meaning of each operation.

extension CUDABackend {
  /// A tensor's elements as an operand: [rows, columns], from column `first` on.
  private func operand(_ tensor: Tensor, first: Int = 0, transposed: Bool = false) -> MatrixProduct.Operand {
    MatrixProduct.Operand(
      address: reading(tensor) + DevicePointer(first * activationSize), stride: tensor.columns,
      liesTransposed: transposed)
  }

  /// A tensor that a product writes: (operand, whether it has 32 bits where activations have 16).
  private func target(_ tensor: Tensor, first: Int = 0) -> (operand: MatrixProduct.Operand, isWide: Bool) {
    let isWide = tensor.kind == .parameter
    let size = isWide ? 4 : activationSize
    return (
      MatrixProduct.Operand(address: writing(tensor) + DevicePointer(first * size), stride: tensor.columns), isWide
    )
  }

  /// x [rows, in] times Wᵀ to C [rows, out].
  func multiply(
    _ x: MatrixProduct.Operand, rows: Int, _ weight: WeightMatrix, bias: DevicePointer?,
    into c: MatrixProduct.Operand, isWide: Bool, accumulate: Bool
  ) throws {
    // B [k = in, n = out] is Wᵀ: a W that lies as [out, in] is B transposed, one that lies as [in, out] is B.
    var b = try elements(weight)
    b.liesTransposed.toggle()
    try products.compute(
      MatrixProduct(
        m: rows, n: weight.outputs, k: weight.inputs, a: x, b: b, beta: accumulate ? 1 : 0, bias: bias, c: c,
        isWide: isWide))
  }

  /// dy [rows, out] times W to C [rows, in].
  func multiplyTransposed(
    _ dy: MatrixProduct.Operand, rows: Int, _ weight: WeightMatrix, into c: MatrixProduct.Operand, accumulate: Bool
  ) throws {
    try products.compute(
      MatrixProduct(
        m: rows, n: weight.inputs, k: weight.outputs, a: dy, b: try elements(weight), beta: accumulate ? 1 : 0, c: c))
  }

  package func linear(_ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, into y: Tensor, accumulate: Bool) throws {
    let y = target(y)
    try multiply(
      operand(x), rows: x.rows, weight, bias: try bias.map { y.isWide ? reading($0) : try operand($0) },
      into: y.operand, isWide: y.isWide, accumulate: accumulate)
  }

  package func linearInputGradient(_ dy: Tensor, _ weight: WeightMatrix, into dx: Tensor, accumulate: Bool) throws {
    try multiplyTransposed(operand(dy), rows: dy.rows, weight, into: target(dx).operand, accumulate: accumulate)
  }

  /// dW [out, in] += dyᵀ x, dbias += column sums of dy.
  func addWeightGradient(
    _ dy: MatrixProduct.Operand, _ x: MatrixProduct.Operand, rows: Int, outputs: Int, inputs: Int, weight: Tensor,
    bias: Tensor?
  ) throws {
    var left = dy
    left.liesTransposed = true
    try products.compute(
      MatrixProduct(
        m: outputs, n: inputs, k: rows, a: left, b: x, beta: 1, c: target(weight).operand, isWide: true))
    guard let bias else { return }
    try kernels.launch(
      .columnSums, grid: ((outputs + 31) / 32, 1, 1), threads: 256,
      [.int(rows), .int(outputs), .pointer(dy.address), .pointer(writing(bias))])
  }

  package func linearWeightGradient(_ dy: Tensor, _ x: Tensor, weightGradient: Tensor, biasGradient: Tensor?) throws {
    try addWeightGradient(
      operand(dy), operand(x), rows: x.rows, outputs: dy.columns, inputs: x.columns, weight: weightGradient,
      bias: biasGradient)
  }

  package func lora(
    _ x: Tensor, _ a: Tensor, _ b: Tensor, scale: Float, projected u: Tensor, addingTo y: Tensor, columns: Int
  ) throws {
    let (tokens, inputs, rank, outputs) = (x.rows, a.columns, a.rows, b.rows)
    // u [T, R] = x Aᵀ
    try products.compute(
      MatrixProduct(
        m: tokens, n: rank, k: inputs, a: operand(x),
        b: .init(address: try operand(a), stride: inputs, liesTransposed: true), c: target(u).operand))
    // y' [T, out] += scale · u Bᵀ
    let y = target(y, first: columns)
    try products.compute(
      MatrixProduct(
        m: tokens, n: outputs, k: rank, alpha: scale, a: operand(u),
        b: .init(address: try operand(b), stride: rank, liesTransposed: true), beta: 1, c: y.operand, isWide: y.isWide))
  }

  package func loraBackward(
    _ dy: Tensor, columns: Int, x: Tensor, projected u: Tensor, _ a: Tensor, _ b: Tensor, scale: Float,
    gradients: (a: Tensor, b: Tensor)?, addingTo dx: Tensor?
  ) throws {
    let (tokens, inputs, rank, outputs) = (x.rows, a.columns, a.rows, b.rows)
    let upstream = operand(dy, first: columns)
    let du = try makeTensor(rows: tokens, columns: rank, kind: .activation)
    // du [T, R] = scale · dy' B
    try products.compute(
      MatrixProduct(
        m: tokens, n: rank, k: outputs, alpha: scale, a: upstream, b: .init(address: try operand(b), stride: rank),
        c: target(du).operand))
    if let gradients {
      // dB [out, R] += scale · dy'ᵀ u; dA [R, in] += duᵀ x
      var left = upstream
      left.liesTransposed = true
      try products.compute(
        MatrixProduct(
          m: outputs, n: rank, k: tokens, alpha: scale, a: left, b: operand(u), beta: 1,
          c: target(gradients.b).operand, isWide: true))
      try products.compute(
        MatrixProduct(
          m: rank, n: inputs, k: tokens, a: operand(du, transposed: true), b: operand(x), beta: 1,
          c: target(gradients.a).operand, isWide: true))
    }
    guard let dx else { return }
    // dx [T, in] += du A
    try products.compute(
      MatrixProduct(
        m: tokens, n: inputs, k: rank, a: operand(du), b: .init(address: try operand(a), stride: inputs), beta: 1,
        c: target(dx).operand))
  }
}
