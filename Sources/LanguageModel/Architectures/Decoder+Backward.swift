// Backward passes. dx is the gradient with respect to the residual stream; every sublayer turns the gradient with
// respect to its output into that with respect to its input, and adds to the gradients of what trains in it.

extension Decoder {
  /// The gradient with respect to a sublayer's input, from the one with respect to its output (`dx`, overwritten).
  ///
  /// - Parameter continues: false where nothing below trains: only the sublayer's own gradients are computed, and the
  ///   result means nothing.
  func backward(
    _ sublayer: Sublayer, _ dx: Tensor, _ pass: DecoderPass, _ tape: SublayerTape, continues: Bool
  ) throws -> Tensor {
    switch sublayer {
    case .attention(let layer): try attentionBackward(layer, dx, pass, tape, continues)
    case .feedForward(let layer): try feedForwardBackward(layer, dx, pass, tape, continues)
    }
  }

  private func feedForwardBackward(
    _ layer: Int, _ gradient: Tensor, _ pass: DecoderPass, _ tape: SublayerTape, _ continues: Bool
  ) throws -> Tensor {
    let layerWeights = weights.layers[layer]
    guard let first = tape.first else { preconditionFailure("backward without forward") }
    let dx = try closingNorm(gradient, layerWeights.feedForwardNorm, tape)
    let firstTrains = trains(pass.branches(layer, .up))
    let branches = pass.branches(layer, .down)
    let dSecond = try productBackward(
      dx, layerWeights.down, branches, try branches.isEmpty ? tape.secondInput : feedForwardInput(tape),
      tape.secondProjections, needsInput: continues || firstTrains)
    guard let dSecond else { return dx }
    let dFirst = shape.isGated ? try activation(first.rows, first.columns) : dSecond
    if shape.isGated {
      try backend.gatedSiLUBackward(dSecond, x: first, into: dFirst)
    } else {
      try backend.activateBackward(dSecond, x: first, shape.activation, into: dFirst)
    }
    return try openingBackward(
      dx, dFirst, layerWeights.up, pass.branches(layer, .up), layerWeights.feedForwardNorm, tape, continues)
  }

  /// Input of the second feed-forward product, from what its non-linearity read.
  private func feedForwardInput(_ tape: SublayerTape) throws -> Tensor? {
    if let kept = tape.secondInput { return kept }
    guard let first = tape.first else { return nil }
    let second = try activation(first.rows, shape.feedForward)
    if shape.isGated {
      try backend.gatedSiLU(first, into: second)
    } else {
      try backend.activate(first, shape.activation, into: second)
    }
    return second
  }

  /// Input of the first product, from the sublayer's input.
  private func openingInput(_ norm: NormWeights, _ tape: SublayerTape) throws -> Tensor? {
    if let kept = tape.firstInput { return kept }
    guard let input = tape.input else { return nil }
    let normed = try activation(input.rows, shape.width)
    try normalize(input, nil, norm, into: normed, nil)
    return normed
  }

  private func attentionBackward(
    _ layer: Int, _ gradient: Tensor, _ pass: DecoderPass, _ tape: SublayerTape, _ continues: Bool
  ) throws -> Tensor {
    let layerWeights = weights.layers[layer]
    guard let qkv = tape.first, let attended = tape.attended, let logSumExp = tape.logSumExp else {
      preconditionFailure("backward without forward")
    }
    var dx = try closingNorm(gradient, layerWeights.attentionNorm, tape)
    let firstTrains = trains(pass.branches(layer, .queryKeyValue))
    guard
      var dAttended = try productBackward(
        dx, layerWeights.attentionOutput, pass.branches(layer, .attentionOutput), tape.secondInput,
        tape.secondProjections, needsInput: continues || firstTrains)
    else { return dx }
    if let rows = tape.rows {
      dAttended = try scatter(dAttended, rows, to: qkv.rows)
      dx = try scatter(dx, rows, to: qkv.rows)
    }
    let dqkv = try activation(qkv.rows, qkv.columns)
    try backend.attentionBackward(
      dAttended, qkv: qkv, out: attended, logSumExp: logSumExp, pass.sequences, shape.attention, into: dqkv)
    if let rotary = weights.rotary {
      try backend.rotate(
        dqkv, heads: shape.attention.heads + shape.attention.keyValueHeads, headSize: shape.headSize,
        positions: pass.positions, table: rotary, inverse: true)
    }
    return try openingBackward(
      dx, dqkv, layerWeights.queryKeyValue, pass.branches(layer, .queryKeyValue), layerWeights.attentionNorm, tape,
      continues)
  }

  private func trains(_ branches: [LoRABranch]) -> Bool {
    trainsWeights || branches.contains { $0.gradients != nil }
  }

  /// Post-norm families: gradient with respect to the sum before the closing norm.
  private func closingNorm(_ gradient: Tensor, _ norm: NormWeights, _ tape: SublayerTape) throws -> Tensor {
    guard !shape.isPreNorm else { return gradient }
    guard let sum = tape.sum, let statistics = tape.statistics else { preconditionFailure("backward without forward") }
    try backend.normalizeBackward(
      gradient, x: sum, statistics: statistics, kind: shape.normalization, weight: norm.weight,
      gradients: norm.gradients, into: gradient, accumulate: false)
    return gradient
  }

  /// First product and opening norm: dx += gradient through them.
  private func openingBackward(
    _ dx: Tensor, _ dFirst: Tensor, _ linear: LinearWeights, _ branches: [LoRABranch], _ norm: NormWeights,
    _ tape: SublayerTape, _ continues: Bool
  ) throws -> Tensor {
    guard shape.isPreNorm else {
      _ = try productBackward(
        dFirst, linear, branches, tape.firstInput, tape.firstProjections, needsInput: continues, addingTo: dx)
      return dx
    }
    // The parameters of the opening norm train with the weights, even where nothing below does.
    let firstInput = try branches.isEmpty ? tape.firstInput : openingInput(norm, tape)
    guard
      let dNormed = try productBackward(
        dFirst, linear, branches, firstInput, tape.firstProjections, needsInput: continues)
    else { return dx }
    guard let input = tape.input, let statistics = tape.statistics else {
      preconditionFailure("backward without forward")
    }
    try backend.normalizeBackward(
      dNormed, x: input, statistics: statistics, kind: shape.normalization, weight: norm.weight,
      gradients: norm.gradients, into: dx, accumulate: true)
    return dx
  }

  /// Gradients of one product's weights and branches; dx = dy·W + branches where wanted.
  func productBackward(
    _ dy: Tensor, _ linear: LinearWeights, _ branches: [LoRABranch], _ x: Tensor?, _ projections: [Tensor],
    needsInput: Bool, addingTo target: Tensor? = nil
  ) throws -> Tensor? {
    if let gradients = linear.gradients, let x {
      try backend.linearWeightGradient(dy, x, weightGradient: gradients.weight, biasGradient: gradients.bias)
    }
    let operands = zip(branches, projections).map { $0.operands(projected: $1) }
    guard needsInput else {
      try backend.branchesBackward(dy, x: x, operands.filter { $0.gradients != nil }, addingTo: nil)
      return nil
    }
    let dx = try target ?? activation(dy.rows, linear.matrix.inputs)
    try backend.linearBackward(dy, linear.matrix, x: x, branches: operands, into: dx, accumulate: target != nil)
    return dx
  }

  private func scatter(_ x: Tensor, _ rows: Tensor, to count: Int) throws -> Tensor {
    let y = try activation(count, x.columns)
    try backend.scatterRows(x, rows, into: y)
    return y
  }

  /// Gradients of the embedding tables (full training).
  func embedBackward(_ gradient: Tensor, tokens: Tensor, positions: Tensor, _ tape: SublayerTape) throws {
    if let norm = weights.embeddingNorm, let input = tape.input, let statistics = tape.statistics {
      try backend.normalizeBackward(
        gradient, x: input, statistics: statistics, kind: shape.normalization, weight: norm.weight,
        gradients: norm.gradients, into: gradient, accumulate: false)
    }
    if let target = weights.embedding.gradients?.weight {
      try backend.embedBackward(gradient, tokens, gradient: target)
    }
    if let target = weights.positions?.gradients?.weight {
      try backend.embedBackward(gradient, positions, gradient: target)
    }
  }
}
