/// Examples laid end to end, with the rows whose prediction counts.
///
/// Plain numbers; nothing is on a device yet.
///
/// Tokens behind an example's last predicted one are left out: in a causal model they change nothing.
struct PackedBatch {
  var tokens: [Int32] = []
  var positions: [Int32] = []
  /// Tokens of each example.
  var lengths: [Int] = []
  /// Rows that predict a labelled token, and that token.
  var rows: [Int32] = []
  var targets: [Int32] = []
  /// Labels of each example, in order; the rows of an example are consecutive.
  var labelCounts: [Int] = []

  init(_ examples: [TrainingExample], shape: DecoderShape) {
    for example in examples {
      let start = Int32(tokens.count)
      let end = example.labels.lastIndex { $0 != TrainingExample.ignored } ?? 1
      // Row t predicts the label at t + 1; the row of the last label is the one before it.
      let length = max(1, end)
      tokens += example.ids.prefix(length).map { Int32($0) }
      positions += shape.positions(of: example.ids.prefix(length))
      var count = 0
      for index in 1..<max(1, example.labels.count) where example.labels[index] != TrainingExample.ignored {
        rows.append(start + Int32(index - 1))
        targets.append(Int32(example.labels[index]))
        count += 1
      }
      lengths.append(length)
      labelCounts.append(count)
    }
  }

  /// Tokens that the model has to read for an example.
  static func length(of example: TrainingExample) -> Int {
    max(1, example.labels.lastIndex { $0 != TrainingExample.ignored } ?? 1)
  }
}

extension Decoder {
  /// A pass over a packed batch.
  ///
  /// `prunes`: whether the labelled rows are picked before the last feed-forward; nil = where that saves work.
  func pass(_ batch: PackedBatch, branches: BranchTable, prunes: Bool? = nil) throws -> DecoderPass {
    let fewRows = batch.rows.count * 5 <= batch.tokens.count * 4
    return DecoderPass(
      positions: try backend.upload(indices: batch.positions),
      sequences: try PackedSequences(lengths: batch.lengths, backend: backend),
      rows: try backend.upload(indices: batch.rows), prunesEarly: prunes ?? fewRows, mode: .packed,
      branches: branches)
  }

  /// Loss of each label; with `scale`, gradients of scale · Σ losses are added to whatever trains.
  func losses(
    _ batch: PackedBatch, _ branches: BranchTable, entry: (sublayer: Sublayer, states: Tensor)? = nil,
    scale: Float? = nil,
    checkpointing: Bool = false, prunes: Bool? = nil
  ) throws -> [Float] {
    try backend.download(
      lossTensor(batch, branches, entry: entry, scale: scale, checkpointing: checkpointing, prunes: prunes))
  }

  /// The same, left in the backend's memory (1 x M parameter): nothing is waited for.
  ///
  /// - Parameters:
  ///   - entry: the input of `entry.sublayer`, where it is known already (the frozen prefix).
  ///   - checkpointing: keep the input of each layer only, and compute the rest again in backward.
  ///   - prunes: as for `pass`; whatever it is, losses and gradients are the same.
  func lossTensor(
    _ batch: PackedBatch, _ branches: BranchTable, entry: (sublayer: Sublayer, states: Tensor)? = nil,
    scale: Float? = nil,
    checkpointing: Bool = false, prunes: Bool? = nil
  ) throws -> Tensor {
    let end = sublayers.upperBound
    let lowest = trainsWeights ? sublayers.lowerBound : (branches.lowestTrainable ?? end)
    let startsBehindPicking = entry.map { $0.sublayer >= .feedForward(shape.layers - 1) } ?? false
    let pass = try pass(batch, branches: branches, prunes: startsBehindPicking ? true : prunes)
    let targets = try backend.upload(indices: batch.targets)
    let embeddingTape = trainsWeights && scale != nil ? SublayerTape() : nil
    var tokens: Tensor?
    var stream: ResidualStream
    if let entry {
      stream = ResidualStream(x: entry.states, residual: nil)
    } else {
      let uploaded = try backend.upload(indices: batch.tokens)
      tokens = uploaded
      stream = try embed(uploaded, positions: pass.positions, tape: embeddingTape)
    }
    let begin = entry?.sublayer ?? sublayers.lowerBound
    guard let scale, lowest < end else {
      stream = try forward(stream, begin..<end, pass)
      return try loss(stream, pass, targets: targets, scale: nil).losses
    }
    stream = try forward(stream, begin..<max(begin, lowest), pass)
    var tapes = try forwardKeeping(&stream, lowest, pass, checkpointing)
    let (losses, gradient) = try loss(stream, pass, targets: targets, scale: scale)
    guard var dx = gradient else { preconditionFailure("asked for a gradient") }
    for sublayer in (lowest..<end).reversed() {
      if checkpointing, case .feedForward(let layer) = sublayer { try recompute(layer, lowest, &tapes, pass) }
      guard let tape = tapes.removeValue(forKey: sublayer) else { preconditionFailure("\(sublayer) left no tape") }
      dx = try backward(sublayer, dx, pass, tape, continues: sublayer > lowest || trainsWeights)
    }
    if let embeddingTape, let tokens {
      try embedBackward(dx, tokens: tokens, positions: pass.positions, embeddingTape)
    }
    return losses
  }

  /// The sublayers from `lowest` on, with what backward needs.
  private func forwardKeeping(
    _ stream: inout ResidualStream, _ lowest: Sublayer, _ pass: DecoderPass, _ checkpointing: Bool
  ) throws -> [Sublayer: SublayerTape] {
    var tapes: [Sublayer: SublayerTape] = [:]
    for sublayer in lowest..<sublayers.upperBound {
      let tape = SublayerTape()
      stream = try forward(stream, sublayer..<sublayer.advanced(by: 1), pass, tapes: [sublayer: tape])
      if checkpointing { tape.trim() }
      // A layer is recomputed from the input of its first sublayer that takes part.
      if !checkpointing || sublayer == max(lowest, .attention(sublayer.layer)) { tapes[sublayer] = tape }
    }
    return tapes
  }

  /// Computes a layer's sublayers again, from the input that was kept.
  private func recompute(
    _ layer: Int, _ lowest: Sublayer, _ tapes: inout [Sublayer: SublayerTape], _ pass: DecoderPass
  ) throws {
    let first = max(lowest, .attention(layer))
    guard let input = tapes[first]?.input else { preconditionFailure("\(first) left no input") }
    var stream = ResidualStream(x: input, residual: nil)
    for sublayer in first...(.feedForward(layer)) {
      let tape = SublayerTape()
      stream = try forward(stream, sublayer..<sublayer.advanced(by: 1), pass, tapes: [sublayer: tape])
      tapes[sublayer] = tape
    }
  }
}
