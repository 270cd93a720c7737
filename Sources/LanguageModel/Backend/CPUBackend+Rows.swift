// Norms, activations, copies and embeddings: thin calls of the C kernels.

import CKernels

extension Normalization {
  fileprivate var kernelKind: lm_norm_kind {
    switch self {
    case .layerNorm: LM_LAYER_NORM
    case .rmsNorm: LM_RMS_NORM
    }
  }
  fileprivate var epsilon: Float {
    switch self {
    case .layerNorm(let value), .rmsNorm(let value): value
    }
  }
}

extension ActivationFunction {
  fileprivate var kernelFunction: lm_activation { self == .gelu ? LM_GELU_EXACT : LM_GELU_TANH }
}

extension CPUBackend {
  package func normalize(
    _ x: Tensor, residual: Tensor?, sum: Tensor?, kind: Normalization, weight: Tensor, bias: Tensor?, into y: Tensor,
    statistics: Tensor?
  ) throws {
    lm_normalize(
      context, x.rows,
      lm_norm(
        kind: kind.kernelKind, columns: x.columns, epsilon: kind.epsilon, x: floats(x), residual: floats(residual),
        sum: residual == nil ? nil : floats(sum), weight: floats(weight), bias: floats(bias), y: floats(y),
        statistics: floats(statistics)))
  }

  package func normalizeBackward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, kind: Normalization, weight: Tensor,
    gradients: (weight: Tensor, bias: Tensor?)?, into dx: Tensor?, accumulate: Bool
  ) throws {
    lm_normalize_backward(
      context,
      lm_norm_gradient(
        kind: kind.kernelKind, rows: x.rows, columns: x.columns, dy: floats(dy), x: floats(x),
        statistics: floats(statistics), weight: floats(weight), dweight: floats(gradients?.weight),
        dbias: floats(gradients?.bias), dx: floats(dx), accumulate: accumulate))
  }

  package func activate(_ x: Tensor, _ function: ActivationFunction, into y: Tensor) throws {
    lm_activate(context, x.count, function.kernelFunction, floats(x), floats(y))
  }

  package func activateBackward(_ dy: Tensor, x: Tensor, _ function: ActivationFunction, into dx: Tensor) throws {
    lm_activate_backward(
      context, x.count, function.kernelFunction, lm_gradient(x: floats(x), dy: floats(dy), dx: floats(dx)))
  }

  package func gatedSiLU(_ x: Tensor, into y: Tensor) throws {
    lm_gated_silu(context, y.rows, y.columns, floats(x), floats(y))
  }

  package func gatedSiLUBackward(_ dy: Tensor, x: Tensor, into dx: Tensor) throws {
    lm_gated_silu_backward(
      context, dy.rows, dy.columns, lm_gradient(x: floats(x), dy: floats(dy), dx: floats(dx)))
  }

  package func add(_ x: Tensor, to y: Tensor) throws { lm_add(context, x.count, floats(x), floats(y)) }

  package func copyRows(_ x: Tensor, fromRow: Int, count: Int, to y: Tensor, toRow: Int) throws {
    (floats(y) + toRow * y.columns).update(from: floats(x) + fromRow * x.columns, count: count * x.columns)
  }

  package func gatherRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws {
    lm_gather_rows(context, y.rows, x.columns, floats(x), integers(rows), floats(y))
  }

  package func scatterRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws {
    try fill(y, with: 0)
    lm_scatter_rows(context, x.rows, x.columns, floats(x), integers(rows), floats(y))
  }

  package func embed(
    _ tokens: Tensor, _ table: WeightMatrix, positions: Tensor?, _ positionTable: WeightMatrix?, into y: Tensor
  ) throws {
    try gather(tokens, table, into: y, accumulate: false)
    if let positions, let positionTable { try gather(positions, positionTable, into: y, accumulate: true) }
  }

  // Tables are gathered from where they lie, so that an embedding that is no head never needs a packed copy.
  private func gather(_ indices: Tensor, _ table: WeightMatrix, into y: Tensor, accumulate: Bool) throws {
    let matrix = unsafeDowncast(table, to: CPUMatrix.self)
    if matrix.parts.isEmpty, let packed = matrix.packed {
      lm_embed_packed(
        context, y.rows, y.columns, integers(indices), packed.pointer.assumingMemoryBound(to: UInt16.self), accumulate,
        floats(y))
      return
    }
    if matrix.parts.count == 1, let part = matrix.parts.first {
      lm_embed(context, y.rows, y.columns, integers(indices), weightTable(part), accumulate, floats(y))
      discardGathered(matrix, y.rows)
      return
    }
    for row in 0..<y.rows {
      let wanted = integers(indices)[row]
      guard let part = matrix.parts.last(where: { $0.first <= Int(wanted) }) else { continue }
      var local = wanted - Int32(part.first)
      lm_embed(context, 1, y.columns, &local, weightTable(part), accumulate, floats(y) + row * y.columns)
    }
  }

  private func weightTable(_ part: CPUMatrix.Part) -> lm_weight_table {
    lm_weight_table(data: part.pointer, type: part.type, row_stride: part.rowStride, column_stride: part.columnStride)
  }

  /// Every gathered row maps some pages around it; of a large mapped table they are given back now and then, where a
  /// packed copy shows that the model must not be held twice.
  private func discardGathered(_ matrix: CPUMatrix, _ rows: Int) {
    guard matrix.packed != nil, let source = matrix.mapped.first else { return }
    let bytes = matrix.outputs * matrix.inputs * source.elementType.size
    matrix.gathered += rows
    guard matrix.gathered >= 256, bytes >= 16 << 20 else { return }
    matrix.gathered = 0
    source.discardPages(0..<bytes)
  }

  package func embedBackward(_ dy: Tensor, _ indices: Tensor, gradient: Tensor) throws {
    lm_embed_backward(context, dy.rows, dy.columns, floats(dy), integers(indices), floats(gradient))
  }
}
