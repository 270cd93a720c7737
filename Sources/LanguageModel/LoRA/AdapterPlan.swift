/// Which LoRA blocks an adapter is made of: on which layers, how many side by side, of what rank and scale.
///
/// A plan without blocks is the base without memory.
public struct AdapterPlan: Sendable, Hashable, Codable {
  /// The parallel blocks on every target of one layer.
  public struct Layer: Sendable, Hashable, Codable {
    /// Number of the layer in the model.
    public var index: Int
    /// Parallel blocks on each target.
    public var blocks: Int
    /// What the sum of the blocks is multiplied with.
    public var scale: Double

    /// The blocks of one layer.
    public init(index: Int, blocks: Int, scale: Double) {
      self.index = index
      self.blocks = blocks
      self.scale = scale
    }
  }

  /// The layers that carry blocks, each once.
  public var layers: [Layer]
  /// Rank of each block.
  public var rank: Int
  /// Which linear layers carry blocks; see `AdapterTargets`.
  public var targets: [String]

  /// A plan layer by layer.
  public init(layers: [Layer], rank: Int, targets: [String]) {
    self.layers = layers
    self.rank = rank
    self.targets = targets
  }

  /// `count` blocks on each of the layers, with the scale alpha / rank (1 where alpha is nil).
  ///
  /// `targets` defaults to the feed-forward matrices `up` and `down` of every architecture.
  public init(layers: [Int], count: Int, rank: Int, alpha: Double? = nil, targets: [String] = ["up", "down"]) {
    let scale = alpha.map { $0 / Double(rank) } ?? 1
    self.init(
      layers: layers.map { Layer(index: $0, blocks: count, scale: scale) }, rank: rank, targets: targets)
  }

  /// Whether there is no memory at all.
  public var isNull: Bool { layers.allSatisfy { $0.blocks == 0 } }

  /// The modules on a model of the given configuration.
  ///
  /// Throws `AdapterError` where a layer, rank, count or target does not fit the model.
  public func modules(for model: ModelConfiguration) throws -> [AdapterModule] {
    try validate(model)
    let shape = DecoderShape(model)
    return try layers.filter { $0.blocks > 0 }.sorted { $0.index < $1.index }.flatMap { layer in
      try AdapterTargets.resolve(targets, among: shape.linearLayers(layer.index)).map {
        AdapterModule(
          layer: $0, blockRanks: [Int](repeating: rank, count: layer.blocks), scale: Float(layer.scale))
      }
    }
  }

  /// Trainable parameters on a model of the given configuration.
  public func parameterCount(for model: ModelConfiguration) throws -> Int {
    try modules(for: model).reduce(0) { $0 + $1.parameterCount }
  }

  private func validate(_ model: ModelConfiguration) throws {
    if let layer = layers.first(where: { $0.blocks < 0 }) {
      throw AdapterError(.invalid, "the number of blocks must not be negative, got \(layer.blocks)")
    }
    guard rank > 0 || isNull else { throw AdapterError(.invalid, "rank must be positive, got \(rank)") }
    if let layer = layers.first(where: { $0.blocks > 0 && !($0.scale.isFinite && $0.scale > 0) }) {
      throw AdapterError(.invalid, "alpha / rank must be a positive number, got \(layer.scale)")
    }
    let numbers = layers.map(\.index)
    guard Set(numbers).count == numbers.count else {
      throw AdapterError(.invalid, "layers \(numbers) repeat a number")
    }
    if let number = numbers.first(where: { !(0..<model.layerCount).contains($0) }) {
      throw AdapterError(
        .invalid, "layer \(number) is not one of the model's \(model.layerCount) layers (0 … \(model.layerCount - 1))")
    }
  }
}

/// Names of linear layers as configurations give them.
///
/// A target is a role that every architecture knows (`up`, `down`, `gate`; `query`, `key`, `value`,
/// `attentionOutput`; `attention` = all that makes queries, keys and values) or the end of a module's name
/// (`c_fc`, `mlp.c_proj`, `output.dense`, `q_proj`). Where an ending fits both a feed-forward and an attention matrix
/// (`c_proj`, `output.dense`), the feed-forward one is meant: memory lives there (paper §2.1).
public enum AdapterTargets {
  /// The layers meant by `targets` among those of one layer, each once, in the model's order.
  static func resolve(_ targets: [String], among layers: [LinearLayer]) throws -> [LinearLayer] {
    guard !targets.isEmpty else { throw AdapterError(.invalid, "no targets: name at least one, such as 'up'") }
    var chosen: Set<LinearLayer> = []
    for target in targets {
      let found = matches(target, among: layers)
      guard !found.isEmpty else {
        throw AdapterError(
          .invalid,
          "target '\(target)' names no linear layer of this model; it has "
            + layers.map(\.path).joined(separator: ", "))
      }
      chosen.formUnion(found)
    }
    return layers.filter { chosen.contains($0) }
  }

  private static func matches(_ target: String, among layers: [LinearLayer]) -> [LinearLayer] {
    let queries: Set<LinearLayer.Role> = [.attention, .query, .key, .value]
    if target == LinearLayer.Role.attention.rawValue { return layers.filter { queries.contains($0.role) } }
    if let role = LinearLayer.Role(rawValue: target) {
      let found = layers.filter { $0.role == role }
      // GPT-2 computes queries, keys and values by one matrix.
      return found.isEmpty && queries.contains(role) ? layers.filter { $0.role == .attention } : found
    }
    let found = layers.filter { $0.path == target || $0.path.hasSuffix("." + target) || $0.name == target }
    let feedForward = found.filter(\.isFeedForward)
    return feedForward.isEmpty ? found : feedForward
  }
}

/// An adapter that cannot be made, or does not fit its model.
public struct AdapterError: Error, CustomStringConvertible, Sendable {
  /// What kind of problem it is; new kinds may be added.
  public struct Code: Sendable, Hashable {
    private let name: String
    /// The configuration contradicts itself or the model.
    public static let invalid = Code(name: "invalid")
    /// An adapter's module or shape is not one of the model's.
    public static let mismatch = Code(name: "mismatch")
  }
  /// The kind of problem.
  public let code: Code
  /// What does not fit, and where.
  public let message: String
  /// The message.
  public var description: String { message }

  /// An error of a kind, in words.
  public init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }
}
