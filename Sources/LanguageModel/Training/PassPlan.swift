// Memory of a training pass. Activations grow with the tokens that go through the model at once, so a batch is cut into
// passes whose gradients add up; where even one sequence is too long, layers are computed again in backward
// (T. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016).

/// Bytes that one token takes in a pass.
struct ActivationEstimate {
  /// Kept from forward to backward.
  let kept: Int
  /// The same with activation checkpointing: the input of each layer.
  let checkpointed: Int
  /// Taken for a while: the operands of the widest sublayer, and with checkpointing the layer that is computed again.
  let transient: Int
  /// What does not depend on tokens: a block of logits (see `Backend.crossEntropy`) and scratch memory.
  let fixed: Int

  /// - Parameters:
  ///   - lowest: lowest sublayer that trains; what follows the last one: none does.
  ///   - keepsInputs: whether weights train, whose gradients need the input of every product.
  ///   - numberBytes: bytes of a number.
  init(_ shape: DecoderShape, lowest: Sublayer, keepsInputs: Bool, numberBytes: Int = 4) {
    let width = shape.width
    let up = shape.size(of: .up).outputs
    let attention =
      width + 2 + shape.attention.columns + shape.attention.queryColumns + shape.attention.heads
      + (keepsInputs ? width : 0) + (shape.isPreNorm ? 0 : width)
    let feedForward = width + 2 + up + (keepsInputs ? width + shape.feedForward : 0) + (shape.isPreNorm ? 0 : width)
    var total = 0
    for sublayer in lowest..<(.attention(shape.layers)) {
      switch sublayer {
      case .attention: total += attention
      case .feedForward: total += feedForward
      }
    }
    kept = numberBytes * total
    checkpointed = numberBytes * width * (shape.layers - lowest.layer)
    fixed = min(96 << 20, 4096 * shape.vocabulary)
    transient =
      numberBytes * (6 * width + max(3 * up, 2 * shape.attention.columns) + attention + feedForward)
  }

  /// Bytes of one token in a pass, beside what does not depend on tokens.
  func bytes(checkpointing: Bool) -> Int { (checkpointing ? checkpointed : kept) + transient }
}

/// How batches go through the model: the most tokens at once, and whether layers are computed again in backward.
struct PassPlan: Equatable {
  var tokens: Int
  var checkpointing: Bool

  /// - Parameters:
  ///   - longest: tokens of the longest example, which cannot be cut.
  ///   - available: bytes that are free; nil when there is no limit.
  ///   - preferred: bytes that the backend wants a pass to take at least.
  init(
    _ estimate: ActivationEstimate, options: TrainingOptions, longest: Int, available: Int?, preferred: Int = 0
  ) {
    let room = available.map { max(0, $0 - estimate.fixed) }
    let wanted = min(max(options.passBytes, preferred), room ?? .max)
    switch options.activationCheckpointing {
    case .always: checkpointing = true
    case .never: checkpointing = false
    case .automatic: checkpointing = longest * estimate.bytes(checkpointing: false) > room ?? .max
    }
    tokens = min(options.tokensPerPass, max(1, wanted / max(1, estimate.bytes(checkpointing: checkpointing))))
  }

  /// What to try after memory was refused: shorter passes, then checkpointing; nil when nothing is left to try.
  func smaller(longest: Int, options: TrainingOptions) -> PassPlan? {
    var result = self
    if tokens > longest {
      result.tokens = max(longest, tokens / 2)
      return result
    }
    guard !checkpointing, options.activationCheckpointing == .automatic else { return nil }
    result.checkpointing = true
    return result
  }

  /// Cuts a batch into passes of at most `tokens` tokens (one example at least) and of about equal size.
  ///
  /// - Parameter lengths: tokens of each of the batch's examples.
  /// - Returns: positions in the batch, ascending within a pass.
  func parts(lengths: [Int]) -> [[Int]] {
    let total = lengths.reduce(0, +)
    let order = lengths.indices.sorted { lengths[$0] != lengths[$1] ? lengths[$0] > lengths[$1] : $0 < $1 }
    var count = max(1, (total + tokens - 1) / max(1, tokens))
    while count < lengths.count {
      // The longest first, each to the pass with the fewest tokens so far.
      var parts = [[Int]](repeating: [], count: count)
      var loads = [Int](repeating: 0, count: count)
      for index in order {
        var least = 0
        for part in 1..<max(count, 1) where loads[part] < loads[least] { least = part }
        parts[least].append(index)
        loads[least] += lengths[index]
      }
      let fits = zip(parts, loads).allSatisfy { $1 <= tokens || $0.count == 1 }
      if fits { return parts.filter { !$0.isEmpty }.map { $0.sorted() } }
      count += 1
    }
    return lengths.indices.map { [$0] }
  }
}
