/// What a decoding step leaves behind.
struct StepOutput {
  /// [B, V].
  let logits: Tensor
  /// Index of each row's largest logit, where that was asked for (1 x B index).
  let best: Tensor?
}

/// One decoding step of B rows that is done again and again: its inputs keep their place, so that a backend can record the
/// step once and replay it for every later token.
final class StepMemory {
  /// B.
  let count: Int
  /// 1 x B index each.
  let tokens: Tensor
  let positions: Tensor
  /// Slots, then lengths (1 x 2 B index, see `CachedRows`).
  let rows: Tensor
  /// B sequences of one token.
  let sequences: PackedSequences
  /// All of the above numbers, so that one transfer brings them.
  private let inputs: Tensor
  private let backend: any Backend
  private var recording: (operations: any RecordedOperations, output: StepOutput)?
  private var runs = 0
  private var canRecord = true

  init(_ count: Int, _ backend: any Backend) throws {
    self.count = count
    self.backend = backend
    inputs = try backend.upload(indices: [Int32](repeating: 0, count: 4 * count))
    tokens = try backend.view(of: inputs, offset: 0, rows: 1, columns: count)
    positions = try backend.view(of: inputs, offset: count, rows: 1, columns: count)
    rows = try backend.view(of: inputs, offset: 2 * count, rows: 1, columns: 2 * count)
    sequences = try PackedSequences(lengths: [Int](repeating: 1, count: count), backend: backend)
  }

  func write(tokens: [Int], positions: [Int], slots: [Int], lengths: [Int]) throws {
    try backend.write(indices: (tokens + positions + slots + lengths).map { Int32($0) }, to: inputs)
  }

  /// Does the step.
  ///
  /// The first time as written, so that everything that is made once is made; the second time it is recorded where the
  /// backend can, and from then on replayed.
  func run(_ step: () throws -> StepOutput) throws -> StepOutput {
    runs += 1
    if runs > 1, recording == nil, canRecord { try record(step) }
    guard let recording else { return try step() }
    try recording.operations.replay()
    return recording.output
  }

  private func record(_ step: () throws -> StepOutput) throws {
    var output: StepOutput?
    do {
      let operations = try backend.record { output = try step() }
      if let operations, let output { recording = (operations, output) }
    } catch let error as BackendError where error.code == .outOfMemory {
      // Step by step takes less memory.
    }
    canRecord = recording != nil
  }
}
