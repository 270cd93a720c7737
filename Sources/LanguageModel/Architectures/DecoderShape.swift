/// What the engine needs to know of a causal decoder; it follows from the model's configuration.
struct DecoderShape: Sendable, Hashable {
  let configuration: ModelConfiguration
  /// GPT-2, RoBERTa as decoder, or LLaMA.
  let family: ModelConfiguration.Architecture
  /// L.
  let layers: Int
  /// D: width of the hidden states.
  let width: Int
  /// F: width between the feed-forward matrices.
  let feedForward: Int
  /// V.
  let vocabulary: Int
  let attention: AttentionShape
  /// Tokens in the longest usable sequence.
  let maximumLength: Int
  /// Row of the position table for the first token (RoBERTa: padding id + 1).
  let firstPosition: Int
  let tiedHead: Bool
  /// The token that has no position of its own (RoBERTa's padding, wherever it stands); nil: every token has one.
  let unplacedToken: Int?

  init(_ configuration: ModelConfiguration) {
    self.configuration = configuration
    family = configuration.architecture
    layers = configuration.layerCount
    width = configuration.hiddenSize
    feedForward = configuration.intermediateSize
    vocabulary = configuration.vocabularySize
    attention = AttentionShape(
      heads: configuration.headCount, keyValueHeads: configuration.keyValueHeadCount, headSize: configuration.headSize)
    maximumLength = configuration.maximumLength
    firstPosition = configuration.firstPosition
    tiedHead = configuration.tiedHead
    unplacedToken = configuration.architecture == .roberta ? configuration.firstPosition - 1 : nil
  }

  /// Rows of the position table for a sequence: RoBERTa counts the tokens that are not padding, and gives padding the row
  /// of its own id, as the reference does.
  func positions(of ids: some Sequence<Int>) -> [Int32] {
    var counter = PositionCounter(self)
    return ids.map { Int32(counter.position(of: $0)) }
  }

  var headSize: Int { attention.headSize }

  /// Norm before each sublayer (GPT-2, LLaMA) rather than after it (RoBERTa).
  var isPreNorm: Bool { family != .roberta }

  /// Feed-forward with a gate (LLaMA) rather than a plain non-linearity.
  var isGated: Bool { family == .llama }

  /// Biases on linear layers and norms (GPT-2, RoBERTa).
  var hasBiases: Bool { family != .llama }

  /// The feed-forward's non-linearity where there is no gate.
  var activation: ActivationFunction { configuration.activation == .geluTanh ? .geluTanh : .gelu }

  var normalization: Normalization {
    let epsilon = Float(configuration.normEpsilon)
    return family == .llama ? .rmsNorm(epsilon: epsilon) : .layerNorm(epsilon: epsilon)
  }

  /// Tokens that go through the model at once where nothing is kept for backward: the widest operands take about 64 MiB,
  /// and products are as fast with hundreds of rows as with thousands.
  var tokensPerForwardPass: Int {
    let widest = max(size(of: .up).outputs + feedForward, attention.columns + attention.queryColumns)
    return min(4096, max(256, (64 << 20) / (4 * (4 * width + widest))))
  }

  /// How linear weights lie in checkpoints of this family.
  var weightLayout: WeightLayout { family == .gpt2 ? .inputsByOutputs : .outputsByInputs }
}

/// Gives the tokens of a sequence their rows of the position table, one after the other.
struct PositionCounter: Sendable {
  private let unplaced: Int?
  private var next: Int

  init(_ shape: DecoderShape) {
    unplaced = shape.unplacedToken
    next = shape.firstPosition
  }

  /// The row of the next token.
  mutating func position(of id: Int) -> Int {
    if let unplaced, id == unplaced { return unplaced }
    defer { next += 1 }
    return next
  }
}

/// The four matrix products of a layer.
///
/// Query, key and value share one, and so do gate and up.
enum LinearSlot: Int, Sendable, CaseIterable {
  case queryKeyValue, attentionOutput, up, down
}

extension DecoderShape {
  /// (outputs, inputs) of a product.
  func size(of slot: LinearSlot) -> (outputs: Int, inputs: Int) {
    switch slot {
    case .queryKeyValue: (attention.columns, width)
    case .attentionOutput: (width, attention.queryColumns)
    case .up: (isGated ? 2 * feedForward : feedForward, width)
    case .down: (width, feedForward)
    }
  }
}

/// One linear layer as checkpoints and adapters name it: a block of rows of one of a layer's matrix products.
public struct LinearLayer: Sendable, Hashable {
  /// What the layer does, by the same word in every family.
  public enum Role: String, Sendable, Codable, CaseIterable {
    /// GPT-2's fused `c_attn`.
    case attention
    case query, key, value, attentionOutput, gate, up, down
  }
  /// Full module name in the checkpoint, without `.weight`: `transformer.h.0.mlp.c_fc`.
  public let name: String
  /// The name below the layer: `mlp.c_fc`.
  public let path: String
  /// The number of its layer, from 0.
  public let layer: Int
  /// What it does.
  public let role: Role
  let slot: LinearSlot
  /// First output column within the fused product.
  let column: Int
  /// Rows of W in y = xWᵀ.
  public let outputs: Int
  /// Columns of W.
  public let inputs: Int

  /// Whether the layer belongs to the feed-forward, where memory lives.
  public var isFeedForward: Bool { slot == .up || slot == .down }

  /// The sublayer that it is a part of.
  var sublayer: Sublayer { isFeedForward ? .feedForward(layer) : .attention(layer) }
}
