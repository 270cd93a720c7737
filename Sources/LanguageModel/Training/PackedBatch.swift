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
    _ batch: PackedBatch, _ branches: BranchTable, entry: (half: Int, states: Tensor)? = nil, scale: Float? = nil,
    checkpointing: Bool = false, prunes: Bool? = nil
  ) throws -> [Float] {
    try backend.download(
      lossTensor(batch, branches, entry: entry, scale: scale, checkpointing: checkpointing, prunes: prunes))
  }

  /// The same, left in the backend's memory (1 x M parameter): nothing is waited for.
  ///
  /// - Parameters:
  ///   - entry: hidden states in front of half `entry.half`, when they are known already (the frozen prefix).
  ///   - checkpointing: keep the input of each layer only, and compute the rest again in backward.
  ///   - prunes: as for `pass`; whatever it is, losses and gradients are the same.
  func lossTensor(
    _ batch: PackedBatch, _ branches: BranchTable, entry: (half: Int, states: Tensor)? = nil, scale: Float? = nil,
    checkpointing: Bool = false, prunes: Bool? = nil
  ) throws -> Tensor {
    let lowest = trainsWeights ? 0 : (branches.lowestTrainable ?? halves)
    let startsBehindPicking = (entry?.half ?? 0) > halves - 2
    let pass = try pass(batch, branches: branches, prunes: startsBehindPicking ? true : prunes)
    let targets = try backend.upload(indices: batch.targets)
    let embeddingTape = trainsWeights && scale != nil ? HalfTape() : nil
    var tokens: Tensor?
    var stream: ResidualStream
    if let entry {
      stream = ResidualStream(x: entry.states, residual: nil)
    } else {
      let uploaded = try backend.upload(indices: batch.tokens)
      tokens = uploaded
      stream = try embed(uploaded, positions: pass.positions, tape: embeddingTape)
    }
    let begin = entry?.half ?? 0
    guard let scale, lowest < halves else {
      stream = try forward(stream, begin..<halves, pass)
      return try loss(stream, pass, targets: targets, scale: nil).losses
    }
    stream = try forward(stream, begin..<max(begin, lowest), pass)
    var tapes = try forwardKeeping(&stream, lowest, pass, checkpointing)
    let (losses, gradient) = try loss(stream, pass, targets: targets, scale: scale)
    guard var dx = gradient else { preconditionFailure("asked for a gradient") }
    for half in stride(from: halves - 1, through: lowest, by: -1) {
      if checkpointing, half % 2 == 1 || half == halves - 1 { try recompute(half, lowest, &tapes, pass) }
      guard let tape = tapes.removeValue(forKey: half) else { preconditionFailure("half \(half) left no tape") }
      dx = try backward(half, dx, pass, tape, continues: half > lowest || trainsWeights)
    }
    if let embeddingTape, let tokens {
      try embedBackward(dx, tokens: tokens, positions: pass.positions, embeddingTape)
    }
    return losses
  }

  /// Halves from `lowest` on, with what backward needs.
  private func forwardKeeping(
    _ stream: inout ResidualStream, _ lowest: Int, _ pass: DecoderPass, _ checkpointing: Bool
  ) throws -> [Int: HalfTape] {
    var tapes: [Int: HalfTape] = [:]
    for half in lowest..<halves {
      let tape = HalfTape()
      stream = try forward(stream, half..<(half + 1), pass, tapes: [half: tape])
      if checkpointing { tape.trim() }
      // A layer is recomputed from its first half's input.
      if !checkpointing || half % 2 == 0 || half == lowest { tapes[half] = tape }
    }
    return tapes
  }

  /// Computes the halves of the layer of `half` again, from the input that was kept.
  private func recompute(_ half: Int, _ lowest: Int, _ tapes: inout [Int: HalfTape], _ pass: DecoderPass) throws {
    let first = max(lowest, half / 2 * 2)
    guard let input = tapes[first]?.input else { preconditionFailure("half \(first) left no input") }
    var stream = ResidualStream(x: input, residual: nil)
    for index in first...(half / 2 * 2 + 1) {
      let tape = HalfTape()
      stream = try forward(stream, index..<(index + 1), pass, tapes: [index: tape])
      tapes[index] = tape
    }
  }
}
