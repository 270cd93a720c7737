/// The input of the lowest sublayer that trains, kept for each example: what lies below it never changes in a run.
///
/// In front of the very last feed-forward only the labelled rows are kept.
final class PrefixCache {
  /// The sublayer whose input is kept.
  let sublayer: Sublayer
  private let decoder: Decoder
  private var states: [Int: Tensor] = [:]
  private var remaining: Int

  /// A cache for what feeds `sublayer`, of at most `budget` bytes (counted at 4 bytes a number).
  init(decoder: Decoder, sublayer: Sublayer, budget: Int) {
    self.decoder = decoder
    self.sublayer = sublayer
    remaining = budget
  }

  private var keepsLabelledRows: Bool { sublayer == .feedForward(decoder.shape.layers - 1) }

  /// The states of the given examples (numbers into the training set) end to end.
  func states(of numbers: [Int], _ examples: [TrainingExample], _ branches: BranchTable) throws -> Tensor {
    let missing = numbers.filter { states[$0] == nil }
    if missing.count == numbers.count {
      let computed = try compute(numbers, examples, branches)
      try keep(numbers, computed, examples)
      return computed
    }
    let fresh = missing.isEmpty ? nil : try compute(missing, examples, branches)
    if let fresh { try keep(missing, fresh, examples) }
    let counts = numbers.map { rows(of: examples[$0]) }
    let result = try decoder.activation(counts.reduce(0, +), decoder.shape.width)
    var target = 0
    var source = 0
    for (number, count) in zip(numbers, counts) {
      let isFresh = missing.contains(number)
      if let kept = states[number] {
        try decoder.backend.copyRows(kept, fromRow: 0, count: count, to: result, toRow: target)
      } else if let fresh {
        try decoder.backend.copyRows(fresh, fromRow: source, count: count, to: result, toRow: target)
      }
      if isFresh { source += count }
      target += count
    }
    return result
  }

  private func rows(of example: TrainingExample) -> Int {
    keepsLabelledRows ? example.labelCount : PackedBatch.length(of: example)
  }

  private func compute(_ numbers: [Int], _ examples: [TrainingExample], _ branches: BranchTable) throws -> Tensor {
    let batch = PackedBatch(numbers.map { examples[$0] }, shape: decoder.shape)
    let pass = try decoder.pass(batch, branches: branches, prunes: keepsLabelledRows)
    let tokens = try decoder.backend.upload(indices: batch.tokens)
    var stream = try decoder.embed(tokens, positions: pass.positions)
    stream = try decoder.forward(stream, decoder.sublayers.lowerBound..<sublayer, pass)
    return try decoder.materialize(stream)
  }

  /// Forgets everything and keeps nothing from now on: memory is short.
  ///
  /// - Returns: whether there was anything to forget.
  func close() -> Bool {
    remaining = 0
    defer { states = [:] }
    return !states.isEmpty
  }

  private func keep(_ numbers: [Int], _ computed: Tensor, _ examples: [TrainingExample]) throws {
    var row = 0
    for number in numbers {
      let count = rows(of: examples[number])
      let bytes = count * decoder.shape.width * 4
      if bytes <= remaining {
        do {
          let tensor = try decoder.activation(count, decoder.shape.width)
          try decoder.backend.copyRows(computed, fromRow: row, count: count, to: tensor, toRow: 0)
          states[number] = tensor
          remaining -= bytes
        } catch let error as BackendError where error.code == .outOfMemory {
          remaining = 0
        }
      }
      row += count
    }
  }
}
