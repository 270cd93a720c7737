// Rotary embedding and attention: launches of the kernels.

extension AttentionShape {
  /// Heads, key heads, head size and scale as kernel arguments.
  fileprivate var arguments: [KernelArgument] {
    [.int(heads), .int(keyValueHeads), .int(headSize), .float(scale)]
  }
}

extension CUDABackend {
  /// The kernels of a head size: sizes are rounded up to 16, 64 or 128.
  private struct AttentionKernels {
    let forward: CUDAKernel
    let keys: CUDAKernel
    let queries: CUDAKernel
    let size: Int

    init(_ shape: AttentionShape) throws(CUDAError) {
      switch shape.headSize {
      case ...16: (forward, keys, queries, size) = (.attention16, .attentionKeys16, .attentionQueries16, 16)
      case ...64: (forward, keys, queries, size) = (.attention64, .attentionKeys64, .attentionQueries64, 64)
      case ...128: (forward, keys, queries, size) = (.attention128, .attentionKeys128, .attentionQueries128, 128)
      default:
        throw CUDAError(
          .unsupported, "heads of \(shape.headSize) numbers: the CUDA backend computes up to 128. Use --device cpu")
      }
    }

    /// Shared memory in bytes: so many tiles of 64 rows and two of 32 rows in each of two stages; in 32 bits two of 16
    /// rows in one stage, and the blocks of probabilities (see attention.cu).
    func shared(tiles: Int, bfloat16: Bool) -> Int {
      bfloat16
        ? 2 * (tiles * 64 + 2 * 2 * 32) * (size + 8) : 4 * ((tiles * 64 + 2 * 16) * (size + 8) + 64 * (16 + 8))
    }
  }

  /// Blocks of 64 rows: (in the longest sequence, heads, sequences).
  private func grid(_ sequences: PackedSequences, heads: Int) -> (Int, Int, Int) {
    ((sequences.longest + 63) / 64, heads, sequences.count)
  }

  package func rotate(_ x: Tensor, heads: Int, headSize: Int, positions: Tensor, table: Tensor, inverse: Bool) throws {
    try kernels.launch(
      .rotate, count: x.rows * heads * ((headSize / 2 + 7) / 8),
      [
        .int(x.rows), .int(x.columns), .int(heads), .int(headSize), .pointer(reading(positions)),
        .pointer(reading(table)), .float(inverse ? -1 : 1), .pointer(writing(x)),
      ])
  }

  package func attention(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, into out: Tensor, logSumExp: Tensor?
  ) throws {
    let own = try AttentionKernels(shape)
    try kernels.launch(
      own.forward, grid: grid(sequences, heads: shape.heads), threads: 128,
      shared: own.shared(tiles: 1, bfloat16: precision == .bfloat16),
      [.pointer(reading(qkv)), .pointer(reading(sequences.deviceOffsets))] + shape.arguments
        + [.pointer(writing(out)), .pointer(writing(logSumExp))])
  }

  package func attentionBackward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape,
    into dqkv: Tensor
  ) throws {
    let own = try AttentionKernels(shape)
    let delta = try makeTensor(rows: out.rows, columns: shape.heads, kind: .parameter)
    try kernels.launch(
      .attentionDelta, count: out.rows * shape.heads * 32,
      [
        .int(out.rows), .int(shape.heads), .int(shape.headSize), .pointer(reading(dout)), .pointer(reading(out)),
        .pointer(writing(delta)),
      ])
    let arguments: [KernelArgument] =
      [
        .pointer(reading(dout)), .pointer(reading(qkv)), .pointer(reading(logSumExp)), .pointer(reading(delta)),
        .pointer(reading(sequences.deviceOffsets)),
      ] + shape.arguments + [.pointer(writing(dqkv))]
    let shared = own.shared(tiles: 2, bfloat16: precision == .bfloat16)
    try kernels.launch(
      own.keys, grid: grid(sequences, heads: shape.keyValueHeads), threads: 128, shared: shared, arguments)
    try kernels.launch(own.queries, grid: grid(sequences, heads: shape.heads), threads: 128, shared: shared, arguments)
  }

  /// Sequences that one launch of `store_sequences` takes: their slots are passed by value.
  private static let group = 64

  package func storeKeysValues(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, slots: [Int], capacity: Int, keys: Tensor,
    values: Tensor
  ) throws {
    for first in stride(from: 0, to: slots.count, by: Self.group) {
      let range = first..<min(first + Self.group, slots.count)
      let padding = [Int32](repeating: 0, count: Self.group - range.count)
      try kernels.launch(
        .storeSequences, grid: (sequences.longest, range.count, 1), threads: 128,
        [
          .pointer(reading(qkv)), .pointer(reading(sequences.deviceOffsets)), .int(first),
          .integers(slots[range].map { Int32($0) } + padding), .int(shape.heads), .int(shape.keyValueHeads),
          .int(shape.headSize),
          .int(capacity), .pointer(writing(keys)), .pointer(writing(values)),
        ])
    }
  }

  package func attentionStep(
    _ qkv: Tensor, _ shape: AttentionShape, rows: CachedRows, capacity: Int, keys: Tensor, values: Tensor,
    into out: Tensor
  ) throws {
    // Shared memory for the longest that there can be: a recorded launch serves every length.
    try kernels.launch(
      .attentionStep, grid: (shape.heads, qkv.rows, 1), threads: 128, shared: 4 * (capacity + 128),
      [.pointer(reading(qkv)), .pointer(reading(rows.device))] + shape.arguments
        + [.int(capacity), .pointer(writing(keys)), .pointer(writing(values)), .pointer(writing(out))])
  }
}
