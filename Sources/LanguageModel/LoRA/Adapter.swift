// Low-rank adapters: E. J. Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", ICLR 2022.
//
//   y = xWᵀ + b + s · Σ_j (x A_jᵀ) B_jᵀ
//
//   n    blocks on one linear layer        A_j  [r_j, in]
//   r_j  rank of block j                   B_j  [out, r_j]
//   s    scale (alpha / r, aggregated)     A    [R, in], B [out, R]: the blocks stacked, R = Σ r_j
//
// The stacked pair computes the same function as the n blocks, AdamW treats each element by itself, and the bounds of
// the initial A depend on `in` only: training the pair is training the blocks.

/// What an adapter puts on one linear layer.
public struct AdapterModule: Sendable, Hashable {
  /// The linear layer that it stands beside.
  public let layer: LinearLayer
  /// Ranks of the parallel blocks, in their order in the stacked pair.
  public let blockRanks: [Int]
  /// Factor s of the branch.
  public let scale: Float

  /// Blocks of the given ranks beside a layer.
  public init(layer: LinearLayer, blockRanks: [Int], scale: Float) {
    self.layer = layer
    self.blockRanks = blockRanks
    self.scale = scale
  }

  /// R: rank of the stacked pair.
  public var rank: Int { blockRanks.reduce(0, +) }
  /// Numbers in A and B.
  public var parameterCount: Int { rank * (layer.inputs + layer.outputs) }

  var nameOfA: String { layer.name + ".lora_A" }
  var nameOfB: String { layer.name + ".lora_B" }
}

/// Values of one module's stacked pair, row-major: A [R, in], B [out, R].
public struct AdapterValues: Sendable, Hashable {
  /// A, row-major [R, in].
  public var a: [Float]
  /// B, row-major [out, R].
  public var b: [Float]

  /// A stacked pair.
  public init(a: [Float], b: [Float]) {
    self.a = a
    self.b = b
  }
}

/// LoRA branches on some linear layers of one model, in a backend's memory.
///
/// Which adapters take part is an argument of every call of the model; an adapter changes only while it is trained.
public final class Adapter {
  /// What it puts on which linear layer.
  public let modules: [AdapterModule]
  let arena: ParameterArena
  private let backend: any Backend
  private let tensors: [(a: Tensor, b: Tensor)]
  private var gradients: [(a: Tensor, b: Tensor)]?

  /// An adapter with the given values, one pair per module in the same order.
  package init(_ modules: [AdapterModule], values: [AdapterValues], backend: any Backend) throws {
    precondition(modules.count == values.count, "\(modules.count) modules, \(values.count) values")
    self.modules = modules
    self.backend = backend
    let entries = modules.flatMap { module in
      [
        ParameterArena.Entry(name: module.nameOfA, rows: module.rank, columns: module.layer.inputs),
        ParameterArena.Entry(name: module.nameOfB, rows: module.layer.outputs, columns: module.rank),
      ]
    }
    let arena = try ParameterArena(entries, backend: backend)
    self.arena = arena
    tensors = try modules.map { (try arena.value($0.nameOfA), try arena.value($0.nameOfB)) }
    try set(values)
  }

  /// Trainable numbers.
  public var parameterCount: Int { arena.parameterCount }

  /// The values now, one pair per module.
  public func values() throws -> [AdapterValues] {
    try tensors.map { AdapterValues(a: try backend.download($0.a), b: try backend.download($0.b)) }
  }

  /// Replaces all values.
  public func set(_ values: [AdapterValues]) throws {
    for (pair, value) in zip(tensors, values) {
      try backend.write(value.a, to: pair.a)
      try backend.write(value.b, to: pair.b)
    }
  }

  /// Gradients of the last backward pass, one pair per module; nil unless training.
  func gradientValues() throws -> [AdapterValues]? {
    try gradients?.map { AdapterValues(a: try backend.download($0.a), b: try backend.download($0.b)) }
  }

  func attachGradients() throws {
    try arena.makeGradients()
    gradients = try modules.map { module in
      guard let a = try arena.gradient(module.nameOfA), let b = try arena.gradient(module.nameOfB) else {
        preconditionFailure("gradients were just made")
      }
      return (a, b)
    }
  }

  func dropGradients() {
    gradients = nil
    arena.dropGradients()
  }

  fileprivate func branch(_ index: Int) -> LoRABranch {
    LoRABranch(
      a: tensors[index].a, b: tensors[index].b, scale: modules[index].scale, column: modules[index].layer.column,
      gradients: gradients?[index])
  }

  fileprivate var branches: [(LinearLayer, LoRABranch)] {
    modules.indices.map { (modules[$0].layer, branch($0)) }
  }
}

/// One module as the decoder runs it.
struct LoRABranch {
  let a: Tensor
  let b: Tensor
  let scale: Float
  /// First output column within the fused product.
  let column: Int
  /// Nil: frozen.
  let gradients: (a: Tensor, b: Tensor)?

  /// As the backend takes it; `projected`: xAᵀ.
  func operands(projected: Tensor) -> LowRankBranch {
    LowRankBranch(a: a, b: b, scale: scale, columns: column, projected: projected, gradients: gradients)
  }
}

/// The branches of all adapters that take part in a call, by layer and product.
struct BranchTable {
  private var table: [[LoRABranch]]
  /// The lowest sublayer with a trainable branch; nil: all frozen.
  let lowestTrainable: Sublayer?

  init(_ adapters: [Adapter], layers: Int) {
    table = [[LoRABranch]](repeating: [], count: layers * LinearSlot.allCases.count)
    var trainable: Sublayer?
    for (layer, branch) in adapters.flatMap(\.branches) {
      table[layer.layer * LinearSlot.allCases.count + layer.slot.rawValue].append(branch)
      if branch.gradients != nil { trainable = min(trainable ?? layer.sublayer, layer.sublayer) }
    }
    lowestTrainable = trainable
  }

  func callAsFunction(_ layer: Int, _ slot: LinearSlot) -> [LoRABranch] {
    table[layer * LinearSlot.allCases.count + slot.rawValue]
  }
}
