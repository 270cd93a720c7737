/// Which LoRA blocks a memory is made of: the configuration θ = (α, n, r) of the search with its fixed settings.
///
/// With A = active layers, the placements give
///
/// - `perLayer`: n parallel blocks of rank r on every target of every active layer: |A| · n blocks per target,
/// - `total`: n blocks in all, dealt round-robin over the active layers in ascending order,
/// - `onePerLayer`: one block in each of the first min(n, |A|) active layers.
///
/// No active layer, or n = 0, is the NULL configuration: the base without memory.
public struct AdapterPlan: Sendable, Hashable, Codable {
  /// How blocks are spread over the active layers.
  public enum Placement: String, Sendable, Codable, CaseIterable {
    case perLayer, total, onePerLayer
  }
  /// What the parallel blocks of one layer are multiplied with: 1, 1/n or 1/√n.
  public enum Aggregate: String, Sendable, Codable, CaseIterable {
    case sum, mean, rsqrt
  }

  /// Active layers, ascending and distinct.
  public var layers: [Int]
  /// n: number of blocks (by `placement`).
  public var count: Int
  /// r: rank of each block.
  public var rank: Int
  /// LoRA's alpha, scale = alpha / r; nil: alpha = r, scale 1.
  public var alpha: Double?
  /// How the blocks are spread over the active layers.
  public var placement: Placement
  /// What the parallel blocks of one layer are multiplied with.
  public var aggregate: Aggregate
  /// Which linear layers carry blocks; see `AdapterTargets`.
  public var targets: [String]

  /// A configuration; `targets` defaults to the feed-forward matrices `up` and `down` of every architecture.
  public init(
    layers: [Int], count: Int, rank: Int, alpha: Double? = nil, placement: Placement = .perLayer,
    aggregate: Aggregate = .sum, targets: [String] = ["up", "down"]
  ) {
    self.layers = layers
    self.count = count
    self.rank = rank
    self.alpha = alpha
    self.placement = placement
    self.aggregate = aggregate
    self.targets = targets
  }

  /// Whether there is no memory at all.
  public var isNull: Bool { layers.isEmpty || count == 0 }

  /// Parallel blocks on each target, by layer.
  public var blocksPerLayer: [Int: Int] {
    guard !isNull else { return [:] }
    let active = layers.sorted()
    switch placement {
    case .perLayer: return Dictionary(uniqueKeysWithValues: active.map { ($0, count) })
    case .onePerLayer: return Dictionary(uniqueKeysWithValues: active.prefix(count).map { ($0, 1) })
    case .total:
      var result: [Int: Int] = [:]
      for block in 0..<count { result[active[block % active.count], default: 0] += 1 }
      return result
    }
  }

  /// The modules on a model of the given configuration.
  ///
  /// Throws `AdapterError` where a layer, rank, count or target does not fit the model.
  public func modules(for model: ModelConfiguration) throws -> [AdapterModule] {
    try validate(model)
    let shape = DecoderShape(model)
    return try blocksPerLayer.sorted { $0.key < $1.key }.flatMap { layer, blocks -> [AdapterModule] in
      let factor: Double =
        switch aggregate {
        case .sum: 1
        case .mean: 1 / Double(blocks)
        case .rsqrt: 1 / Double(blocks).squareRoot()
        }
      let scale = Float(factor * (alpha ?? Double(rank)) / Double(rank))
      return try AdapterTargets.resolve(targets, among: shape.linearLayers(layer)).map {
        AdapterModule(layer: $0, blockRanks: [Int](repeating: rank, count: blocks), scale: scale)
      }
    }
  }

  /// Trainable parameters on a model of the given configuration.
  public func parameterCount(for model: ModelConfiguration) throws -> Int {
    try modules(for: model).reduce(0) { $0 + $1.parameterCount }
  }

  private func validate(_ model: ModelConfiguration) throws {
    guard count >= 0 else { throw AdapterError(.invalid, "count must not be negative, got \(count)") }
    guard rank > 0 || isNull else { throw AdapterError(.invalid, "rank must be positive, got \(rank)") }
    if let alpha, !(alpha.isFinite && alpha > 0) {
      throw AdapterError(.invalid, "alpha must be a positive number, got \(alpha)")
    }
    guard Set(layers).count == layers.count else { throw AdapterError(.invalid, "layers \(layers) repeat a number") }
    if let layer = layers.first(where: { !(0..<model.layerCount).contains($0) }) {
      throw AdapterError(
        .invalid, "layer \(layer) is not one of the model's \(model.layerCount) layers (0 … \(model.layerCount - 1))")
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
