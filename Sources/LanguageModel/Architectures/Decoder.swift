// The causal decoder, one code for GPT-2, RoBERTa (as decoder) and LLaMA.
//
// Letters as in `Backend`: T packed tokens, D width, F feed-forward width, V vocabulary, M labelled rows, L layers of two
// sublayers each (attention, feed-forward).
//
// Pre-norm (GPT-2, LLaMA):  x ← x + f(norm(x)) for each sublayer f.   Post-norm (RoBERTa):  x ← norm(x + f(x)).
// The residual stream is carried as x + residual, so that the sum is formed inside the next norm.

/// The hidden states between two sublayers: x + residual.
struct ResidualStream {
  var x: Tensor
  var residual: Tensor?
}

/// Where attention finds keys and values.
enum AttentionMode {
  /// Within the packed sequences.
  case packed
  /// As `packed`, and keys and values go to the cache's slots.
  case prefill(KeyValueCache, slots: [Int])
  /// One token per row, behind what the cache holds.
  case step(KeyValueCache, CachedRows)
}

/// One batch on its way through the decoder.
struct DecoderPass {
  let positions: Tensor
  let sequences: PackedSequences
  /// Rows that the head wants (1 x M index); nil = all.
  let rows: Tensor?
  /// Whether the rows are picked already before the last feed-forward (they were few).
  let prunesEarly: Bool
  let mode: AttentionMode
  let branches: BranchTable
}

/// What a sublayer keeps for its backward pass.
final class SublayerTape {
  /// The sublayer's input: pre-norm after summing, post-norm as it came.
  var input: Tensor?
  var statistics: Tensor?
  /// Input of the first product; pre-norm families compute it again where only a branch needs it.
  var firstInput: Tensor?
  /// Output of the first product: queries, keys, values after rotation, or the feed-forward before its non-linearity.
  var first: Tensor?
  /// Output of attention for all rows, and the logarithms of its denominators.
  var attended: Tensor?
  var logSumExp: Tensor?
  /// Input of the second product; in the feed-forward it is computed again where only a branch needs it.
  var secondInput: Tensor?
  /// Post-norm: input of the closing norm.
  var sum: Tensor?
  /// xAᵀ of each branch.
  var firstProjections: [Tensor] = []
  var secondProjections: [Tensor] = []
  /// Rows that were picked in this sublayer (last attention only).
  var rows: Tensor?

  /// Forgets all but the input (activation checkpointing).
  func trim() {
    statistics = nil
    firstInput = nil
    first = nil
    attended = nil
    logSumExp = nil
    secondInput = nil
    sum = nil
    firstProjections = []
    secondProjections = []
  }
}

/// A decoder in a backend's memory: forward and backward over packed sequences.
final class Decoder {
  let shape: DecoderShape
  let backend: any Backend
  var weights: DecoderWeights
  /// Whether all weights train.
  var trainsWeights: Bool { weights.arena?.gradients != nil }

  init(shape: DecoderShape, weights: DecoderWeights, backend: any Backend) {
    self.shape = shape
    self.weights = weights
    self.backend = backend
  }

  /// All sublayers in the order of computation.
  var sublayers: Range<Sublayer> { .attention(0)..<(.attention(shape.layers)) }

  func activation(_ rows: Int, _ columns: Int) throws -> Tensor {
    try backend.makeTensor(rows: rows, columns: columns, kind: .activation)
  }

  // MARK: Forward

  /// Embedding: tokens 1 x T index.
  func embed(_ tokens: Tensor, positions: Tensor, tape: SublayerTape? = nil) throws -> ResidualStream {
    var x = try activation(tokens.columns, shape.width)
    try backend.embed(
      tokens, weights.embedding.matrix, positions: weights.positions == nil ? nil : positions,
      weights.positions?.matrix, into: x)
    if let norm = weights.embeddingNorm {
      let y = try activation(tokens.columns, shape.width)
      let statistics = try tape.map { _ in try makeStatistics(x.rows) }
      try normalize(x, nil, norm, into: y, statistics)
      tape?.input = x
      tape?.statistics = statistics
      x = y
    }
    return ResidualStream(x: x, residual: nil)
  }

  /// The sublayers of `range` in order.
  ///
  /// - Parameter tapes: where what backward needs is kept; sublayers without one keep nothing.
  func forward(
    _ stream: ResidualStream, _ range: Range<Sublayer>, _ pass: DecoderPass, tapes: [Sublayer: SublayerTape] = [:]
  ) throws -> ResidualStream {
    var stream = stream
    for sublayer in range {
      let tape = tapes[sublayer]
      stream =
        switch sublayer {
        case .attention(let layer): try attention(layer, stream, pass, tape)
        case .feedForward(let layer): try feedForward(layer, stream, pass, tape)
        }
    }
    return stream
  }

  private func attention(_ layer: Int, _ stream: ResidualStream, _ pass: DecoderPass, _ tape: SublayerTape?) throws
    -> ResidualStream
  {
    let layerWeights = weights.layers[layer]
    let (base, normed) = try open(stream, layerWeights.attentionNorm, tape)
    let qkv = try activation(normed.rows, shape.attention.columns)
    let branches = pass.branches(layer, .queryKeyValue)
    let projections = try product(normed, layerWeights.queryKeyValue, branches, into: qkv)
    if let rotary = weights.rotary {
      try backend.rotate(
        qkv, heads: shape.attention.heads + shape.attention.keyValueHeads, headSize: shape.headSize,
        positions: pass.positions, table: rotary, inverse: false)
    }
    let attended = try activation(normed.rows, shape.attention.queryColumns)
    let logSumExp = try tape.map { _ in
      try backend.makeTensor(rows: normed.rows, columns: shape.attention.heads, kind: .parameter)
    }
    try attend(qkv, layer, pass, into: attended, logSumExp)
    if let tape {
      tape.first = qkv
      tape.attended = attended
      tape.logSumExp = logSumExp
      tape.firstProjections = projections
      if trainsWeights || !shape.isPreNorm { tape.firstInput = normed }
    }
    var picked = (base: base, attended: attended)
    if pass.prunesEarly, layer == shape.layers - 1, let rows = pass.rows {
      picked = (try gather(base, rows), try gather(attended, rows))
      tape?.rows = rows
    }
    return try close(
      picked.base, picked.attended, layerWeights.attentionOutput, pass.branches(layer, .attentionOutput),
      layerWeights.attentionNorm, tape)
  }

  private func attend(_ qkv: Tensor, _ layer: Int, _ pass: DecoderPass, into out: Tensor, _ logSumExp: Tensor?) throws {
    switch pass.mode {
    case .packed: break
    case .prefill(let cache, let slots):
      try backend.storeKeysValues(
        qkv, pass.sequences, shape.attention, slots: slots, capacity: cache.capacity, keys: cache.keys[layer],
        values: cache.values[layer])
    case .step(let cache, let rows):
      return try backend.attentionStep(
        qkv, shape.attention, rows: rows, capacity: cache.capacity, keys: cache.keys[layer],
        values: cache.values[layer], into: out)
    }
    try backend.attention(qkv, pass.sequences, shape.attention, into: out, logSumExp: logSumExp)
  }

  private func feedForward(_ layer: Int, _ stream: ResidualStream, _ pass: DecoderPass, _ tape: SublayerTape?) throws
    -> ResidualStream
  {
    let layerWeights = weights.layers[layer]
    let (base, normed) = try open(stream, layerWeights.feedForwardNorm, tape)
    let first = try activation(normed.rows, shape.size(of: .up).outputs)
    let branches = pass.branches(layer, .up)
    let projections = try product(normed, layerWeights.up, branches, into: first)
    let second: Tensor
    if shape.isGated {
      second = try activation(normed.rows, shape.feedForward)
      try backend.gatedSiLU(first, into: second)
    } else {
      second = tape == nil ? first : try activation(normed.rows, shape.feedForward)
      try backend.activate(first, shape.activation, into: second)
    }
    if let tape {
      tape.first = first
      tape.firstProjections = projections
      if trainsWeights || !shape.isPreNorm { tape.firstInput = normed }
    }
    return try close(
      base, second, layerWeights.down, pass.branches(layer, .down), layerWeights.feedForwardNorm, tape)
  }

  /// The opening of a sublayer: (what the residual adds to, input of the first product).
  private func open(_ stream: ResidualStream, _ norm: NormWeights, _ tape: SublayerTape?) throws -> (Tensor, Tensor) {
    guard shape.isPreNorm else {
      tape?.input = stream.x
      return (stream.x, stream.x)
    }
    let normed = try activation(stream.x.rows, shape.width)
    let statistics = try tape.map { _ in try makeStatistics(stream.x.rows) }
    // The sum takes the residual's memory: nobody else needs the residual.
    try normalize(stream.x, stream.residual, norm, into: normed, statistics)
    let base = stream.residual ?? stream.x
    tape?.input = base
    tape?.statistics = statistics
    return (base, normed)
  }

  /// The closing of a sublayer: second product, and the norm behind it where the family has it there.
  private func close(
    _ base: Tensor, _ input: Tensor, _ linear: LinearWeights, _ branches: [LoRABranch], _ norm: NormWeights,
    _ tape: SublayerTape?
  ) throws -> ResidualStream {
    let y = try activation(input.rows, shape.width)
    let projections = try product(input, linear, branches, into: y)
    tape?.secondProjections = projections
    if trainsWeights || tape?.attended != nil { tape?.secondInput = input }
    guard !shape.isPreNorm else { return ResidualStream(x: base, residual: y) }
    let normed = try activation(input.rows, shape.width)
    let statistics = try tape.map { _ in try makeStatistics(input.rows) }
    try normalize(base, y, norm, into: normed, statistics)
    tape?.sum = y
    tape?.statistics = statistics
    return ResidualStream(x: normed, residual: nil)
  }

  /// y = xWᵀ + b + branches; the result is each branch's xAᵀ.
  func product(_ x: Tensor, _ linear: LinearWeights, _ branches: [LoRABranch], into y: Tensor) throws -> [Tensor] {
    let projections = try branches.map { try activation(x.rows, $0.a.rows) }
    try backend.linear(
      x, linear.matrix, bias: linear.bias, branches: zip(branches, projections).map { $0.operands(projected: $1) },
      into: y)
    return projections
  }

  /// y = norm(x + residual); the residual's memory takes the sum.
  func normalize(_ x: Tensor, _ residual: Tensor?, _ norm: NormWeights, into y: Tensor, _ statistics: Tensor?) throws {
    try backend.normalize(
      x, residual: residual, sum: residual, kind: shape.normalization, weight: norm.weight, bias: norm.bias, into: y,
      statistics: statistics)
  }

  func makeStatistics(_ rows: Int) throws -> Tensor { try backend.makeTensor(rows: rows, columns: 2, kind: .parameter) }

  func gather(_ x: Tensor, _ rows: Tensor) throws -> Tensor {
    let y = try activation(rows.columns, x.columns)
    try backend.gatherRows(x, rows, into: y)
    return y
  }

  /// The stream as one tensor, in the residual's memory if there is one.
  func materialize(_ stream: ResidualStream) throws -> Tensor {
    guard let residual = stream.residual else { return stream.x }
    try backend.add(stream.x, to: residual)
    return residual
  }
}
