// Low-rank branches beside linear layers. T tokens, R rank; see `Backend` for the meaning of each operation.

import CKernels

extension CPUBackend {
  /// LoRA's own products stay in 32 bits unless tiles make those eight times slower: the adapter is what is trained.
  private var exactAdapters: Bool { path < .amxbf16 }

  package func lora(
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

  package func loraBackward(
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
    if let gradients { try addAdapterGradients(upstream, x: x, projected: u, du: pointer, scale: scale, gradients) }
    guard let dx else { return }
    // dx [T, in] += du A
    try product(
      tokens, inputs, rank, Strided(pointer, rank), plain(Strided(floats(a), inputs)), accumulate: true,
      into: floats(dx), stride: inputs, exact: exactAdapters)
  }

  /// dB [out, R] += scale · dy'ᵀ u; dA [R, in] += duᵀ x.
  private func addAdapterGradients(
    _ upstream: Strided, x: Tensor, projected u: Tensor, du: UnsafeMutablePointer<Float>, scale: Float,
    _ gradients: (a: Tensor, b: Tensor)
  ) throws {
    let (tokens, inputs, rank, outputs) = (x.rows, x.columns, u.columns, gradients.b.rows)
    try product(
      outputs, rank, tokens, scale: scale, upstream.transposed, plain(Strided(floats(u), rank)), accumulate: true,
      into: floats(gradients.b), stride: rank, exact: exactAdapters)
    try product(
      rank, inputs, tokens, Strided(du, 1, rank), plain(Strided(floats(x), inputs)), accumulate: true,
      into: floats(gradients.a), stride: inputs, exact: exactAdapters)
  }

  // MARK: Together with the frozen product

  package func linear(
    _ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, branches: [LowRankBranch], into y: Tensor
  ) throws {
    let (rows, inputs, outputs) = (x.rows, weight.inputs, weight.outputs)
    // u = xAᵀ; y' += scale · uBᵀ
    if let branch = branches.first, branches.count == 1,
      let packed = try packed(unsafeDowncast(weight, to: CPUMatrix.self))
    {
      var pair = lm_branch(
        rank: branch.a.rows, down: floats(branch.a), down_row_stride: 1, down_column_stride: inputs, first_input: 0,
        inputs: inputs, up: floats(branch.b), up_row_stride: 1, up_column_stride: branch.b.columns,
        first_output: branch.columns, outputs: branch.b.rows, scale_down: 1, scale_up: branch.scale,
        projected: floats(branch.projected))
      if lm_fuses_branch(context, mode, inputs, &pair) {
        var product = lm_product(
          m: rows, n: outputs, k: inputs, alpha: 1, a: floats(x), a_row_stride: inputs, a_column_stride: 1,
          b: packedOperand(packed, inputs: inputs, outputs: outputs), bias: floats(bias), accumulate: false,
          c: floats(y), c_row_stride: y.columns)
        guard lm_gemm_branch(context, mode, &product, &pair) else { throw scratchRefused() }
        return
      }
    }
    try linear(x, weight, bias: bias, into: y, accumulate: false)
    try addBranches(x, branches, to: y)
  }

  package func linearBackward(
    _ dy: Tensor, _ weight: WeightMatrix, x: Tensor?, branches: [LowRankBranch], into dx: Tensor, accumulate: Bool
  ) throws {
    let (rows, inputs, outputs) = (dy.rows, weight.inputs, weight.outputs)
    let matrix = unsafeDowncast(weight, to: CPUMatrix.self)
    // du = scale · dy' B; dx += du A
    if let branch = branches.first, branches.count == 1, let packed = try packed(matrix),
      let transposed = transposed(matrix, packed: packed)
    {
      let du = try CPUBuffer(bytes: rows * branch.a.rows * 4, memory: pool)
      let pointer = du.pointer.assumingMemoryBound(to: Float.self)
      var pair = lm_branch(
        rank: branch.a.rows, down: floats(branch.b), down_row_stride: branch.b.columns, down_column_stride: 1,
        first_input: branch.columns, inputs: branch.b.rows, up: floats(branch.a), up_row_stride: inputs,
        up_column_stride: 1, first_output: 0, outputs: inputs, scale_down: branch.scale, scale_up: 1,
        projected: pointer)
      if lm_fuses_branch(context, mode, outputs, &pair) {
        var product = lm_product(
          m: rows, n: inputs, k: outputs, alpha: 1, a: floats(dy), a_row_stride: outputs, a_column_stride: 1,
          b: packedOperand(transposed, inputs: outputs, outputs: inputs), bias: nil, accumulate: accumulate,
          c: floats(dx), c_row_stride: inputs)
        guard lm_gemm_branch(context, mode, &product, &pair) else { throw scratchRefused() }
        if let gradients = branch.gradients, let x {
          try addAdapterGradients(
            Strided(floats(dy) + branch.columns, outputs), x: x, projected: branch.projected, du: pointer,
            scale: branch.scale, gradients)
        }
        return
      }
    }
    try linearInputGradient(dy, weight, into: dx, accumulate: accumulate)
    try branchesBackward(dy, x: x, branches, addingTo: dx)
  }
}
