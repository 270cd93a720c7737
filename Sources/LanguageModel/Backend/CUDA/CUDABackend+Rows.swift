// Norms, activations, copies and embeddings: launches of the kernels.

extension Normalization {
  fileprivate var isLayerNorm: Bool {
    if case .layerNorm = self { return true }
    return false
  }
  fileprivate var epsilon: Float {
    switch self {
    case .layerNorm(let value), .rmsNorm(let value): value
    }
  }
}

extension CUDABackend {
  /// Threads for one row of `width` numbers, eight each.
  private func threads(_ width: Int) -> Int { min(256, max(32, (width + 255) / 256 * 32)) }

  /// Eight numbers per thread, rows by themselves.
  private func pieces(_ rows: Int, _ width: Int) -> Int { rows * ((width + 7) / 8) }

  package func normalize(
    _ x: Tensor, residual: Tensor?, sum: Tensor?, kind: Normalization, weight: Tensor, bias: Tensor?, into y: Tensor,
    statistics: Tensor?
  ) throws {
    try kernels.launch(
      .normalize, grid: (x.rows, 1, 1), threads: threads(x.columns),
      [
        .int(x.columns), .int(kind.isLayerNorm ? 1 : 0), .float(kind.epsilon), .pointer(reading(x)),
        .pointer(reading(residual)), .pointer(residual == nil ? nil : writing(sum)), .pointer(reading(weight)),
        .pointer(reading(bias)), .pointer(writing(y)), .pointer(writing(statistics)),
      ])
  }

  package func normalizeBackward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, kind: Normalization, weight: Tensor,
    gradients: (weight: Tensor, bias: Tensor?)?, into dx: Tensor?, accumulate: Bool
  ) throws {
    if let gradients {
      // Before dx, which may overwrite dy.
      try kernels.launch(
        .normalizeParameters, grid: ((x.columns + 31) / 32, 1, 1), threads: 256,
        [
          .int(x.rows), .int(x.columns), .pointer(reading(dy)), .pointer(reading(x)), .pointer(reading(statistics)),
          .pointer(writing(gradients.weight)), .pointer(writing(gradients.bias)),
        ])
    }
    guard let dx else { return }
    try kernels.launch(
      .normalizeBackward, grid: (x.rows, 1, 1), threads: threads(x.columns),
      [
        .int(x.columns), .int(kind.isLayerNorm ? 1 : 0), .int(accumulate ? 1 : 0), .pointer(reading(dy)),
        .pointer(reading(x)), .pointer(reading(statistics)), .pointer(reading(weight)), .pointer(writing(dx)),
      ])
  }

  package func activate(_ x: Tensor, _ function: ActivationFunction, into y: Tensor) throws {
    try kernels.launch(
      .gelu, count: (x.count + 7) / 8,
      [.long(x.count), .int(function == .geluTanh ? 1 : 0), .pointer(reading(x)), .pointer(writing(y))])
  }

  package func activateBackward(_ dy: Tensor, x: Tensor, _ function: ActivationFunction, into dx: Tensor) throws {
    try kernels.launch(
      .geluBackward, count: (x.count + 7) / 8,
      [
        .long(x.count), .int(function == .geluTanh ? 1 : 0), .pointer(reading(dy)), .pointer(reading(x)),
        .pointer(writing(dx)),
      ])
  }

  package func gatedSiLU(_ x: Tensor, into y: Tensor) throws {
    try kernels.launch(
      .gatedSiLU, count: pieces(y.rows, y.columns),
      [.int(y.rows), .int(y.columns), .pointer(reading(x)), .pointer(writing(y))])
  }

  package func gatedSiLUBackward(_ dy: Tensor, x: Tensor, into dx: Tensor) throws {
    try kernels.launch(
      .gatedSiLUBackward, count: pieces(dy.rows, dy.columns),
      [
        .int(dy.rows), .int(dy.columns), .pointer(reading(dy)), .pointer(reading(x)), .pointer(writing(dx)),
      ])
  }

  package func add(_ x: Tensor, to y: Tensor) throws {
    try kernels.launch(
      .add, count: (x.count + 7) / 8, [.long(x.count), .pointer(reading(x)), .pointer(writing(y))])
  }

  package func copyRows(_ x: Tensor, fromRow: Int, count: Int, to y: Tensor, toRow: Int) throws {
    let row = x.columns * (x.kind == .activation ? activationSize : 4)
    try context.copy(
      writing(y) + DevicePointer(toRow * row), from: reading(x) + DevicePointer(fromRow * row), count * row)
  }

  package func gatherRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws {
    try kernels.launch(
      .gatherRows, count: pieces(y.rows, x.columns),
      [.int(y.rows), .int(x.columns), .pointer(reading(x)), .pointer(reading(rows)), .pointer(writing(y))])
  }

  package func scatterRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws {
    try fill(y, with: 0)
    try kernels.launch(
      .scatterRows, count: pieces(x.rows, x.columns),
      [.int(x.rows), .int(x.columns), .pointer(reading(x)), .pointer(reading(rows)), .pointer(writing(y))])
  }

  package func embed(
    _ tokens: Tensor, _ table: WeightMatrix, positions: Tensor?, _ positionTable: WeightMatrix?, into y: Tensor
  ) throws {
    func strides(_ matrix: MatrixProduct.Operand) -> [KernelArgument] {
      [
        .pointer(matrix.address), .long(matrix.liesTransposed ? 1 : matrix.stride),
        .long(matrix.liesTransposed ? matrix.stride : 1),
      ]
    }
    let second = positions == nil ? nil : try positionTable.map { try elements($0) }
    var arguments: [KernelArgument] = [.int(y.rows), .int(y.columns), .pointer(reading(tokens))]
    arguments += strides(try elements(table))
    arguments.append(.pointer(second == nil ? nil : reading(positions)))
    arguments += second.map(strides) ?? [.pointer(nil), .long(0), .long(0)]
    arguments.append(.pointer(writing(y)))
    try kernels.launch(.embed, count: y.count, arguments)
  }

  package func embedBackward(_ dy: Tensor, _ indices: Tensor, gradient: Tensor) throws {
    try kernels.launch(
      .embedBackward, grid: (dy.rows, 1, 1), threads: 128,
      [
        .int(dy.rows), .int(dy.columns), .pointer(reading(dy)), .pointer(reading(indices)), .pointer(writing(gradient)),
      ])
  }
}
