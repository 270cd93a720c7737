// Norms, activations, copies and embeddings: thin calls of the C kernels.

import CKernels

extension Normalization {
  fileprivate var code: Int32 {
    switch self {
    case .layerNorm: 0
    case .rmsNorm: 1
    }
  }
  fileprivate var epsilon: Float {
    switch self {
    case .layerNorm(let value), .rmsNorm(let value): value
    }
  }
}

extension ActivationFunction {
  fileprivate var code: Int32 { self == .gelu ? 0 : 1 }
}

extension CPUBackend {
  package func normalize(
    _ x: Tensor, residual: Tensor?, sum: Tensor?, kind: Normalization, weight: Tensor, bias: Tensor?, into y: Tensor,
    statistics: Tensor?
  ) throws {
    lm_normalize(
      context, x.rows, x.columns, kind.code, kind.epsilon, floats(x), floats(residual),
      residual == nil ? nil : floats(sum), floats(weight), floats(bias), floats(y), floats(statistics))
  }

  package func normalizeBackward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, kind: Normalization, weight: Tensor,
    gradients: (weight: Tensor, bias: Tensor?)?, into dx: Tensor?, accumulate: Bool
  ) throws {
    lm_normalize_backward(
      context, x.rows, x.columns, kind.code, floats(dy), floats(x), floats(statistics), floats(weight),
      floats(gradients?.weight), floats(gradients?.bias), floats(dx), accumulate)
  }

  package func activate(_ x: Tensor, _ function: ActivationFunction, into y: Tensor) throws {
    lm_activate(context, x.count, function.code, floats(x), floats(y))
  }

  package func activateBackward(_ dy: Tensor, x: Tensor, _ function: ActivationFunction, into dx: Tensor) throws {
    lm_activate_backward(context, x.count, function.code, floats(dy), floats(x), floats(dx))
  }

  package func gatedSiLU(_ x: Tensor, into y: Tensor) throws {
    lm_gated_silu(context, y.rows, y.columns, floats(x), floats(y))
  }

  package func gatedSiLUBackward(_ dy: Tensor, x: Tensor, into dx: Tensor) throws {
    lm_gated_silu_backward(context, dy.rows, dy.columns, floats(dy), floats(x), floats(dx))
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
      lm_embed(
        context, y.rows, y.columns, integers(indices), part.pointer, part.type, part.rowStride, part.columnStride,
        accumulate, floats(y))
      discardGathered(matrix, y.rows)
      return
    }
    for row in 0..<y.rows {
      let wanted = integers(indices)[row]
      guard let part = matrix.parts.last(where: { $0.first <= Int(wanted) }) else { continue }
      var local = wanted - Int32(part.first)
      lm_embed(
        context, 1, y.columns, &local, part.pointer, part.type, part.rowStride, part.columnStride, accumulate,
        floats(y) + row * y.columns)
    }
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
