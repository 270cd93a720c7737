// The output head: final norm (RoBERTa: dense, GELU, norm), projection to the vocabulary, cross-entropy.

/// What the head keeps from forward to backward.
private struct HeadState {
  var input: Tensor
  var denseInput: Tensor?
  var densePre: Tensor?
  var statistics: Tensor?
  var normed: Tensor
}

extension Decoder {
  /// Logits [M, V] of the wanted rows.
  func logits(_ stream: ResidualStream, _ pass: DecoderPass) throws -> Tensor {
    let state = try openHead(try pick(stream, pass), keeps: false)
    // In 32 bits whatever activations are: near ties decide between tokens.
    let logits = try backend.makeTensor(rows: state.normed.rows, columns: shape.vocabulary, kind: .parameter)
    try backend.linear(state.normed, weights.head.matrix, bias: weights.head.bias, into: logits, accumulate: false)
    return logits
  }

  /// Unscaled losses [1, M] of the wanted rows against `targets`; with `scale`, also the gradient of scale · Σ losses
  /// with respect to the output of the last sublayer.
  func loss(_ stream: ResidualStream, _ pass: DecoderPass, targets: Tensor, scale: Float?) throws
    -> (losses: Tensor, gradient: Tensor?)
  {
    let picked = try pick(stream, pass)
    let state = try openHead(picked, keeps: scale != nil)
    let losses = try backend.makeTensor(rows: 1, columns: targets.columns, kind: .parameter)
    let dNormed = try scale.map { _ in try activation(state.normed.rows, shape.width) }
    try backend.crossEntropy(
      state.normed, head: weights.head.matrix, bias: weights.head.bias, targets: targets, losses: losses,
      scale: scale ?? 0, dx: dNormed, gradients: scale == nil ? nil : weights.head.gradients)
    guard let dNormed else { return (losses, nil) }
    var gradient = try headBackward(dNormed, state)
    if let rows = pass.rows, !pass.prunesEarly {
      let full = try activation(stream.x.rows, shape.width)
      try backend.scatterRows(gradient, rows, into: full)
      gradient = full
    }
    return (losses, gradient)
  }

  /// The wanted rows of the stream, unless they were picked before.
  private func pick(_ stream: ResidualStream, _ pass: DecoderPass) throws -> ResidualStream {
    guard let rows = pass.rows, !pass.prunesEarly else { return stream }
    return ResidualStream(x: try gather(stream.x, rows), residual: try stream.residual.map { try gather($0, rows) })
  }

  private func openHead(_ stream: ResidualStream, keeps: Bool) throws -> HeadState {
    let rows = stream.x.rows
    let normed = try activation(rows, shape.width)
    let statistics = keeps ? try makeStatistics(rows) : nil
    guard let dense = weights.headDense else {
      try normalize(stream.x, stream.residual, weights.finalNorm, into: normed, statistics)
      return HeadState(input: stream.residual ?? stream.x, statistics: statistics, normed: normed)
    }
    let pre = try activation(rows, shape.width)
    try backend.linear(stream.x, dense.matrix, bias: dense.bias, into: pre, accumulate: false)
    let activated = try activation(rows, shape.width)
    try backend.activate(pre, .gelu, into: activated)
    try normalize(activated, nil, weights.finalNorm, into: normed, statistics)
    return HeadState(input: activated, denseInput: stream.x, densePre: pre, statistics: statistics, normed: normed)
  }

  private func headBackward(_ dNormed: Tensor, _ state: HeadState) throws -> Tensor {
    guard let statistics = state.statistics else { preconditionFailure("backward without forward") }
    try backend.normalizeBackward(
      dNormed, x: state.input, statistics: statistics, kind: shape.normalization, weight: weights.finalNorm.weight,
      gradients: weights.finalNorm.gradients, into: dNormed, accumulate: false)
    guard let dense = weights.headDense, let pre = state.densePre, let input = state.denseInput else { return dNormed }
    try backend.activateBackward(dNormed, x: pre, .gelu, into: dNormed)
    return try productBackward(dNormed, dense, [], input, [], needsInput: true) ?? dNormed
  }
}
