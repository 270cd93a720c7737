/// The shape and the numerical settings of a causal language model, as read from `config.json`.
///
/// Letters: L layers, D width, F feed-forward width, H heads, K key/value heads, S head size, V vocabulary.
public struct ModelConfiguration: Hashable, Sendable {
  /// The architectures that can be run.
  public enum Architecture: String, Hashable, Sendable, CaseIterable {
    /// Pre-norm, learned positions, fused attention projection stored [in, out]; DialoGPT is one.
    case gpt2
    /// RoBERTa run as a causal decoder: post-norm, learned positions from `paddingID + 1` on, dense language head.
    case roberta
    /// LLaMA-2: RMS norm, rotary positions, gated feed-forward, multi-head or grouped-query attention.
    case llama
  }

  /// The feed-forward non-linearity.
  public enum Activation: String, Hashable, Sendable {
    /// 0.5x(1 + tanh(√(2/π)(x + 0.044715x³))).
    case geluTanh
    /// x·Φ(x).
    case geluExact
    /// x·sigmoid(x), multiplied with the up projection.
    case silu
  }

  /// Which family of decoders it is.
  public var architecture: Architecture
  /// V.
  public var vocabularySize: Int
  /// D.
  public var hiddenSize: Int
  /// F.
  public var intermediateSize: Int
  /// L.
  public var layerCount: Int
  /// H.
  public var headCount: Int
  /// K; equal to `headCount` unless attention is grouped-query.
  public var keyValueHeadCount: Int
  /// S; D / H unless LLaMA's `head_dim` says otherwise.
  public var headSize: Int
  /// Rows of the position table (LLaMA: the trained length).
  public var positionCount: Int
  /// The feed-forward's non-linearity.
  public var activation: Activation
  /// ε of layer norm or RMS norm.
  public var normEpsilon: Double
  /// Whether the output head is the token embedding.
  public var tiedHead: Bool
  /// Base of the rotary frequencies (LLaMA).
  public var ropeTheta: Double
  /// Rows of the token-type table (RoBERTa; row 0 is used), else 0.
  public var tokenTypeCount: Int
  /// Standard deviation for new weights.
  public var initializerRange: Double
  /// The token that begins a text; nil: there is none.
  public var bosID: Int?
  /// End tokens; generation stops at any of them.
  public var eosIDs: [Int]
  /// The token that fills batches; RoBERTa's positions begin behind its id.
  public var paddingID: Int?

  /// A model of the given sizes; everything else as the architecture has it.
  public init(
    architecture: Architecture, vocabularySize: Int, hiddenSize: Int, intermediateSize: Int? = nil, layerCount: Int,
    headCount: Int, keyValueHeadCount: Int? = nil, headSize: Int? = nil, positionCount: Int, normEpsilon: Double = 1e-5,
    tiedHead: Bool? = nil, ropeTheta: Double = 10_000, initializerRange: Double = 0.02, bosID: Int? = nil,
    eosIDs: [Int] = [], paddingID: Int? = nil
  ) {
    self.architecture = architecture
    self.vocabularySize = vocabularySize
    self.hiddenSize = hiddenSize
    self.intermediateSize = intermediateSize ?? 4 * hiddenSize
    self.layerCount = layerCount
    self.headCount = headCount
    self.keyValueHeadCount = keyValueHeadCount ?? headCount
    self.headSize = headSize ?? hiddenSize / max(headCount, 1)
    self.positionCount = positionCount
    self.normEpsilon = normEpsilon
    self.ropeTheta = ropeTheta
    self.initializerRange = initializerRange
    self.bosID = bosID
    self.eosIDs = eosIDs
    switch architecture {
    case .gpt2:
      (activation, tokenTypeCount) = (.geluTanh, 0)
      self.tiedHead = tiedHead ?? true
      self.paddingID = paddingID
    case .roberta:
      (activation, tokenTypeCount) = (.geluExact, 1)
      self.tiedHead = tiedHead ?? true
      self.paddingID = paddingID ?? 1
    case .llama:
      (activation, tokenTypeCount) = (.silu, 0)
      self.tiedHead = tiedHead ?? false
      self.paddingID = paddingID
    }
  }

  /// The longest sequence that has positions: RoBERTa loses `paddingID + 1` rows of its table.
  public var maximumLength: Int {
    architecture == .roberta ? positionCount - (paddingID ?? 1) - 1 : positionCount
  }

  /// The position of a sequence's first token.
  public var firstPosition: Int { architecture == .roberta ? (paddingID ?? 1) + 1 : 0 }

  /// Number of weights, a tied head counted once.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}
