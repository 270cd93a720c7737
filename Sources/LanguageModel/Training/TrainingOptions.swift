import Glibc
import RandomStreams

/// How to train: optimizer, schedule, batches.
///
/// Defaults are the paper's (lr 5e-4, weight decay 1e-4, warm-up 10 % then linear decay, batch 8, clipping at 1).
public struct TrainingOptions: Sendable, Hashable, Codable {
  /// How the learning rate moves after warm-up.
  public enum Schedule: Sendable, Hashable, Codable {
    /// Down to 0 at the end.
    case linear
    /// Half a cosine down to `minimum` times the peak.
    case cosine(minimum: Double)
    case constant
  }
  /// In which order examples come.
  public enum Order: String, Sendable, Codable {
    /// Shuffled anew in every epoch.
    case shuffled
    /// Shuffled, but batches hold examples of similar length (less attention, steadier steps).
    case bucketed
    /// As given.
    case sequential
  }

  /// Passes over the examples.
  public var epochs: Int = 1
  /// Ends the run earlier (and shapes the schedule); nil = epochs decide.
  public var maximumSteps: Int?
  /// Sequences per optimizer step.
  public var batchSize: Int = 8
  /// Whether activations are computed again in backward instead of being kept: about a third more work for a fraction
  /// of the memory, and the same bits.
  public enum Checkpointing: String, Sendable, Codable {
    /// Where the backend's limit leaves no room for one sequence otherwise.
    case automatic
    case always, never
  }

  /// Most tokens that go through the model at once; larger batches accumulate gradients over several passes.
  public var tokensPerPass: Int = 4096
  /// Bytes of activations that a pass aims at (an estimate): batches are cut accordingly, down to single sequences.
  ///
  /// Products are as fast with a few hundred rows as with thousands.
  public var passBytes: Int = 224 << 20
  /// Peak learning rate.
  public var learningRate: Double = 5e-4
  /// AdamW's decoupled weight decay; biases and norms do not decay.
  public var weightDecay: Double = 1e-4
  /// AdamW's decay of the first moment.
  public var beta1: Double = 0.9
  /// AdamW's decay of the second moment.
  public var beta2: Double = 0.999
  /// AdamW's ε.
  public var epsilon: Double = 1e-8
  /// Fraction of the steps that warm up (rounded up); the first step then has rate 0, as in the reference.
  public var warmup: Double = 0.1
  /// How the learning rate moves after warm-up.
  public var schedule: Schedule = .linear
  /// Largest gradient norm; nil = no clipping.
  public var clip: Double? = 1
  /// In which order examples come.
  public var order: Order = .shuffled
  /// Seed of the order.
  public var seed: UInt64 = 0
  /// Whether activations are computed again in backward.
  public var activationCheckpointing = Checkpointing.automatic
  /// Bytes for hidden states below the lowest trained layer, which then need not be computed again in later epochs.
  public var prefixCacheBytes: Int = 1 << 30

  /// The defaults.
  public init() {}

  /// Learning rate of step `step` (from 0) of `steps`.
  public func learningRate(step: Int, of steps: Int) -> Double {
    let warm = warmupSteps(of: steps)
    if step < warm { return learningRate * Double(step) / Double(max(1, warm)) }
    let progress = Double(step - warm) / Double(max(1, steps - warm))
    switch schedule {
    case .linear: return learningRate * max(0, 1 - progress)
    case .cosine(let minimum):
      return learningRate * (minimum + (1 - minimum) * 0.5 * (1 + cos(Double.pi * min(1, progress))))
    case .constant: return learningRate
    }
  }

  /// Steps of warm-up out of `steps`.
  public func warmupSteps(of steps: Int) -> Int { Int((warmup * Double(steps)).rounded(.up)) }

  /// Optimizer steps for `examples` examples.
  public func steps(examples: Int) -> Int {
    let all = epochs * ((examples + batchSize - 1) / max(1, batchSize))
    return min(all, maximumSteps ?? all)
  }

  /// Throws `TrainingError` (`invalidOptions`) unless the options make sense.
  public func validate() throws {
    func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
      guard condition else { throw TrainingError(.invalidOptions, message()) }
    }
    try require(epochs >= 0, "epochs must not be negative, got \(epochs)")
    try require(batchSize >= 1, "batch size must be at least 1, got \(batchSize)")
    try require(tokensPerPass >= 1, "tokens per pass must be at least 1, got \(tokensPerPass)")
    try require(passBytes >= 1, "bytes per pass must be at least 1, got \(passBytes)")
    try require((maximumSteps ?? 0) >= 0, "maximum steps must not be negative")
    try require(learningRate.isFinite && learningRate >= 0, "learning rate must be finite and ≥ 0, got \(learningRate)")
    try require(weightDecay.isFinite && weightDecay >= 0, "weight decay must be finite and ≥ 0, got \(weightDecay)")
    try require((0..<1).contains(beta1) && (0..<1).contains(beta2), "betas must be in [0, 1), got \(beta1), \(beta2)")
    try require(epsilon > 0, "epsilon must be positive, got \(epsilon)")
    try require((0...1).contains(warmup), "warm-up must be a fraction of the steps in [0, 1], got \(warmup)")
    try require((clip ?? 1) > 0, "clip must be positive; leave it out for no clipping")
  }

  /// Batches of one epoch as example numbers; a pure function of seed, epoch and the examples' lengths.
  func batches(epoch: Int, lengths: [Int]) -> [[Int]] {
    var order = Array(lengths.indices)
    var stream = RandomStream(seed: seed, purpose: "training/order", index: UInt64(epoch))
    if self.order != .sequential { order.shuffle(using: &stream) }
    if self.order == .bucketed {
      let window = batchSize * 16
      for start in stride(from: 0, to: order.count, by: window) {
        let range = start..<min(order.count, start + window)
        order[range].sort { lengths[$0] != lengths[$1] ? lengths[$0] < lengths[$1] : $0 < $1 }
      }
    }
    var batches = stride(from: 0, to: order.count, by: batchSize).map { start in
      Array(order[start..<min(order.count, start + batchSize)])
    }
    if self.order == .bucketed { batches.shuffle(using: &stream) }
    return batches
  }
}
