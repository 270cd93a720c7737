/// Where a model computes: fused operations, forward and backward, over tensors that only the backend can read.
///
/// The contract, checked for every backend by the conformance suite (`BackendConformance` in the tests):
///
/// - **Shapes.** One alphabet for the whole engine:
///
///   | letter | size | letter | size |
///   |---|---|---|---|
///   | T | packed tokens: rows of a pass | F | feed-forward width |
///   | B | sequences of a generation step | V | vocabulary |
///   | L | layers, two sublayers each | H | attention heads |
///   | D | model width | K | key and value heads, a divisor of H |
///   | M | labelled rows | S | size of one head |
///   | R | LoRA rank: all blocks of one matrix | | |
///
///   A matrix is row-major, [rows, columns]. Shapes are checked by the caller; a backend may trap on a wrong one. Every
///   size may be odd and 1; T and M may not be 0.
/// - **Memory.** `makeTensor`'s elements are undefined until written. Outputs never overlap inputs unless an
///   operation says that it works in place. Whatever cannot be allocated throws `BackendError` with code
///   `.outOfMemory` and leaves the backend usable.
/// - **Order.** Operations take effect in call order; they may run asynchronously, `download` waits for its tensor,
///   `synchronize` for everything. An asynchronous failure is thrown by a later call.
/// - **Threads.** One thread at a time calls a backend and what was made from it; none of them is `Sendable`, so the
///   compiler sees to it. Make a backend on the thread that computes.
/// - **Determinism.** Equal calls give equal bits on one machine, whatever the number of threads.
/// - **Gradients** of parameters (`da`, `db`, `dW`, norm weights, embeddings) are added to what is there; gradients of
///   activations overwrite unless `accumulate` (or the operation's text) says otherwise.
package protocol Backend: AnyObject {
  /// "reference", "cpu (avx512, f32)", …: for logs and provenance.
  var name: String { get }
  /// Memory in use by tensors and weights now, at most, and the limit (bytes; nil = what the machine has).
  var memory: BackendMemory { get }
  /// Bytes of one number of an activation. Default: 4.
  var activationBytes: Int { get }
  /// Bytes of one number of a `.cache`. Default: `activationBytes`.
  var cacheBytes: Int { get }
  /// Bytes that a pass over several sequences (activations, or keys and values) should take where they are free, as
  /// products are fast with thousands of rows only. Default: 0, no wish.
  var preferredPassBytes: Int { get }
  /// Bytes that `crossEntropy` with gradients takes for a while for `rows` labelled rows. Default: blocks of 128 rows in 32
  /// bits, at most 32 MiB.
  func lossBytes(rows: Int, vocabulary: Int) -> Int

  // MARK: Memory

  /// A tensor with undefined elements.
  func makeTensor(rows: Int, columns: Int, kind: ElementKind) throws -> Tensor
  /// Part of a `.parameter` or `.index` tensor, as a matrix of its own over the same memory: `rows` x `columns` elements from
  /// element `offset` on (row-major).
  func view(of tensor: Tensor, offset: Int, rows: Int, columns: Int) throws -> Tensor
  /// A tensor from row-major numbers.
  func upload(_ values: [Float], rows: Int, columns: Int, kind: ElementKind) throws -> Tensor
  /// A 1 x count index tensor.
  func upload(indices: [Int32]) throws -> Tensor
  /// Replaces all elements.
  func write(_ values: [Float], to tensor: Tensor) throws
  /// Replaces all elements of an index tensor.
  func write(indices: [Int32], to tensor: Tensor) throws
  /// The elements in row-major order.
  func download(_ tensor: Tensor) throws -> [Float]
  /// The elements of an index tensor.
  func download(indices tensor: Tensor) throws -> [Int32]
  /// Sets all elements to one value.
  func fill(_ tensor: Tensor, with value: Float) throws
  /// Waits for all that was asked.
  func synchronize() throws
  /// Gives pooled memory back to the system.
  func releaseCachedMemory()
  /// Records the operations that `body` asks for, so that one call replays them on the tensors' current contents.
  ///
  /// `body` moves nothing between host and backend, writes no `.parameter` that products read, and has run once before in
  /// the ordinary way; nothing is computed by recording. Tensors that `body` uses live as long as the result; those that
  /// it makes may be read after a replay. Default: nil, this backend (or these operations) cannot be recorded.
  func record(_ body: () throws -> Void) throws -> (any RecordedOperations)?

  // MARK: Weights

  /// The rows of `sources` under one another along the outputs (query, key and value in one product, for instance).
  /// All sources have the same number of inputs; a source of shape [D] counts as one row. With `trainable`, the
  /// elements are copied to `parameter`, a 32-bit [out, in] tensor that the caller took from its parameter arena.
  func makeMatrix(_ sources: [any WeightSource], layout: WeightLayout, parameter: Tensor?) throws -> WeightMatrix
  /// A trainable matrix over `parameter` [out, in] as it is now.
  func makeMatrix(parameter: Tensor) throws -> WeightMatrix
  /// Renews what was derived from a trainable matrix's parameter, after the parameter changed. No-op when frozen.
  func refresh(_ matrices: [WeightMatrix]) throws

  // MARK: Linear layers and LoRA

  /// y = xWᵀ + bias, or y += … with `accumulate`. x [T, in], bias [1, out] parameter, y [T, out] activation or parameter
  /// (logits).
  func linear(_ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, into y: Tensor, accumulate: Bool) throws
  /// dx = dy·W, or dx += … with `accumulate`. dy [T, out], dx [T, in].
  func linearInputGradient(_ dy: Tensor, _ weight: WeightMatrix, into dx: Tensor, accumulate: Bool) throws
  /// dW += dyᵀ·x [out, in], dbias += column sums of dy [1, out].
  func linearWeightGradient(_ dy: Tensor, _ x: Tensor, weightGradient: Tensor, biasGradient: Tensor?) throws
  /// u = xAᵀ; y[:, columns …] += scale·uBᵀ. x [T, in], A [R, in], B [out, R] parameters, u [T, R] kept for backward;
  /// `columns` = first column of y that B's rows go to (fused matrices).
  func lora(_ x: Tensor, _ a: Tensor, _ b: Tensor, scale: Float, projected u: Tensor, addingTo y: Tensor, columns: Int)
    throws
  /// With dy' = dy[:, columns …] (out columns) and du = scale·dy'·B: dB += scale·dy'ᵀ·u, dA += duᵀ·x, dx += du·A.
  /// `gradients` nil: the adapter is frozen; `dx` nil: nothing trainable lies below.
  func loraBackward(
    _ dy: Tensor, columns: Int, x: Tensor, projected u: Tensor, _ a: Tensor, _ b: Tensor, scale: Float,
    gradients: (a: Tensor, b: Tensor)?, addingTo dx: Tensor?) throws

  /// `linear` without `accumulate`, and `lora` for each of the branches (their `gradients` do not matter). A backend may do
  /// them in one. Default: one after the other.
  func linear(_ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, branches: [LowRankBranch], into y: Tensor) throws
  /// `linearInputGradient`, and `loraBackward` for each of the branches with the same dx; x may be nil where there are none.
  /// Default: one after the other.
  func linearBackward(
    _ dy: Tensor, _ weight: WeightMatrix, x: Tensor?, branches: [LowRankBranch], into dx: Tensor, accumulate: Bool)
    throws

  // MARK: Norms, activations, residuals

  /// With `residual`: sum = x + residual, y = norm(sum); without: y = norm(x), `sum` unused. weight and bias
  /// [1, D] parameters; `statistics` [T, 2] parameter (mean, reciprocal deviation; RMS norm leaves the mean 0) is kept
  /// for backward, nil when there is none. `sum` may be `x` or `residual` (in place).
  func normalize(
    _ x: Tensor, residual: Tensor?, sum: Tensor?, kind: Normalization, weight: Tensor, bias: Tensor?, into y: Tensor,
    statistics: Tensor?) throws
  /// dx (+)= gradient with respect to the norm's input `x` (the sum, where there was a residual). `dx` may be `dy`
  /// when not accumulating; nil: only the parameters' gradients are wanted. `gradients.bias` nil for RMS norm.
  func normalizeBackward(
    _ dy: Tensor, x: Tensor, statistics: Tensor, kind: Normalization, weight: Tensor,
    gradients: (weight: Tensor, bias: Tensor?)?, into dx: Tensor?, accumulate: Bool) throws
  /// y = f(x); may be in place.
  func activate(_ x: Tensor, _ function: ActivationFunction, into y: Tensor) throws
  /// dx = dy · f'(x); `dx` may be `dy`.
  func activateBackward(_ dy: Tensor, x: Tensor, _ function: ActivationFunction, into dx: Tensor) throws
  /// y = silu(gate) · up, x = gate | up [T, 2F], y [T, F].
  func gatedSiLU(_ x: Tensor, into y: Tensor) throws
  /// dx [T, 2F] from dy [T, F]; `dx` may be `x`.
  func gatedSiLUBackward(_ dy: Tensor, x: Tensor, into dx: Tensor) throws
  /// y += x.
  func add(_ x: Tensor, to y: Tensor) throws
  /// `count` rows from row `fromRow` of x to row `toRow` of y (same columns and kind).
  func copyRows(_ x: Tensor, fromRow: Int, count: Int, to y: Tensor, toRow: Int) throws
  /// y[i] = x[rows[i]]; rows 1 x M index.
  func gatherRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws
  /// y = 0, then y[rows[i]] = x[i]; rows are distinct.
  func scatterRows(_ x: Tensor, _ rows: Tensor, into y: Tensor) throws

  // MARK: Embedding

  /// y[t] = table[tokens[t]] + positionTable[positions[t]]; the second term is optional. tokens, positions 1 x T index.
  func embed(
    _ tokens: Tensor, _ table: WeightMatrix, positions: Tensor?, _ positionTable: WeightMatrix?, into y: Tensor) throws
  /// gradient[index[t]] += dy[t] for t ascending; gradient [V, D] parameter.
  func embedBackward(_ dy: Tensor, _ indices: Tensor, gradient: Tensor) throws

  // MARK: Attention

  /// Rotary embedding in place on the first `heads` heads of each row: pairs (i, i + S/2) are rotated by the row's
  /// position. `table` [positions, S] parameter: S/2 cosines, then S/2 sines. `inverse` rotates back (the gradient).
  func rotate(_ x: Tensor, heads: Int, headSize: Int, positions: Tensor, table: Tensor, inverse: Bool) throws
  /// Causal attention within each sequence. qkv [T, (H + 2 K)·S], out [T, H·S]; `logSumExp` [T, H] parameter is
  /// kept for backward, nil when there is none.
  func attention(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, into out: Tensor, logSumExp: Tensor?) throws
  /// dqkv from dout [T, H·S].
  func attentionBackward(
    _ dout: Tensor, qkv: Tensor, out: Tensor, logSumExp: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape,
    into dqkv: Tensor) throws
  /// Copies the keys and values of packed sequence i to slot `slots[i]` of the caches, from position 0 on. Caches
  /// are [slots · K · capacity, S] of kind `.cache`; position p of head h in slot s is row (s·K + h)·capacity + p, so that
  /// what one head reads in a step lies together.
  func storeKeysValues(
    _ qkv: Tensor, _ sequences: PackedSequences, _ shape: AttentionShape, slots: [Int], capacity: Int, keys: Tensor,
    values: Tensor) throws
  /// One new token per row: row i of qkv [B, …] is position `rows.lengths[i]` of slot `rows.slots[i]`; its key and value
  /// are stored there, and out[i] attends to positions 0 … lengths[i]. When recorded, the numbers are read from
  /// `rows.device` at each replay.
  func attentionStep(
    _ qkv: Tensor, _ shape: AttentionShape, rows: CachedRows, capacity: Int, keys: Tensor, values: Tensor,
    into out: Tensor) throws

  // MARK: Head and loss

  /// Cross-entropy of softmax(xWᵀ + bias) against `targets` [1 x M index], in chunks that never hold M x V at once.
  /// losses [1, M] parameter (natural logarithm). With `dx` [M, D]: dx = scale · Σ dloss/dx. With `gradients`:
  /// dW += scale · …, dbias += …. Softmax and losses are computed in 32 bits.
  func crossEntropy(
    _ x: Tensor, head: WeightMatrix, bias: Tensor?, targets: Tensor, losses: Tensor, scale: Float, dx: Tensor?,
    gradients: (weight: Tensor, bias: Tensor?)?) throws
  /// Index of the largest element of each row [1 x rows index]; the lowest index among equals, −1 where the row holds a
  /// number that is infinite or none. Logits are activations or parameters.
  func argmax(_ logits: Tensor, into indices: Tensor) throws
  /// The k largest elements of each row in descending order (lower index first among equals): values [B, k]
  /// activation, indices [B, k] index.
  func topK(_ logits: Tensor, values: Tensor, indices: Tensor) throws

  // MARK: Optimizer

  /// norm[0, 0] = Euclidean norm of all elements of `gradients` (summed in 64 bits, in a fixed order).
  func norm(of gradients: Tensor, into norm: Tensor) throws
  /// One AdamW step on equally shaped parameters, gradients and moments. With `clip`, gradients count as multiplied by
  /// min(1, maximum / (norm + 1e-6)), norm read from the tensor's first element (PyTorch's `clip_grad_norm_`).
  func adamW(
    _ parameters: Tensor, gradients: Tensor, firstMoment: Tensor, secondMoment: Tensor, step: AdamWStep,
    clip: (norm: Tensor, maximum: Float)?) throws
}

extension Backend {
  package var activationBytes: Int { 4 }
  package var cacheBytes: Int { activationBytes }
  package var preferredPassBytes: Int { 0 }
  package func lossBytes(rows: Int, vocabulary: Int) -> Int { min(32 << 20, 512 * vocabulary) }
  package func record(_ body: () throws -> Void) throws -> (any RecordedOperations)? { nil }
}

/// A low-rank branch beside a linear layer, as `Backend.lora` and `loraBackward` take it.
package struct LowRankBranch {
  /// A [R, in] and B [out, R].
  package var a, b: Tensor
  package var scale: Float
  /// First column of y that B's rows go to.
  package var columns: Int
  /// u [T, R].
  package var projected: Tensor
  /// Nil: frozen.
  package var gradients: (a: Tensor, b: Tensor)?

  package init(
    a: Tensor, b: Tensor, scale: Float, columns: Int, projected: Tensor, gradients: (a: Tensor, b: Tensor)? = nil
  ) {
    self.a = a
    self.b = b
    self.scale = scale
    self.columns = columns
    self.projected = projected
    self.gradients = gradients
  }
}

extension Backend {
  package func linear(
    _ x: Tensor, _ weight: WeightMatrix, bias: Tensor?, branches: [LowRankBranch], into y: Tensor
  ) throws {
    try linear(x, weight, bias: bias, into: y, accumulate: false)
    try addBranches(x, branches, to: y)
  }

  package func linearBackward(
    _ dy: Tensor, _ weight: WeightMatrix, x: Tensor?, branches: [LowRankBranch], into dx: Tensor, accumulate: Bool
  ) throws {
    try linearInputGradient(dy, weight, into: dx, accumulate: accumulate)
    try branchesBackward(dy, x: x, branches, addingTo: dx)
  }

  /// `lora` of each branch.
  func addBranches(_ x: Tensor, _ branches: [LowRankBranch], to y: Tensor) throws {
    for branch in branches {
      try lora(
        x, branch.a, branch.b, scale: branch.scale, projected: branch.projected, addingTo: y, columns: branch.columns)
    }
  }

  /// `loraBackward` of each branch.
  func branchesBackward(_ dy: Tensor, x: Tensor?, _ branches: [LowRankBranch], addingTo dx: Tensor?) throws {
    for branch in branches {
      guard let x else { preconditionFailure("a branch without its input") }
      try loraBackward(
        dy, columns: branch.columns, x: x, projected: branch.projected, branch.a, branch.b, scale: branch.scale,
        gradients: branch.gradients, addingTo: dx)
    }
  }
}

/// Operations that a backend keeps (see `Backend.record`).
package protocol RecordedOperations: AnyObject {
  /// Asks for all of them again, in their order.
  func replay() throws
}
