/// The paper's memory space: θ = (α ∈ {0,1}^L, n, r).
///
/// A factor may be fixed for an ablation; it is then neither searched nor encoded.
public struct MemorySpace: Sendable, Hashable, Codable {
  /// The input and output size of one matrix that receives LoRAs.
  public struct MatrixShape: Sendable, Hashable, Codable {
    public var input: Int
    public var output: Int
    public init(input: Int, output: Int) {
      self.input = input
      self.output = output
    }
  }

  /// Number L of layers of the base.
  public var layers: Int
  /// Range of the number n of LoRAs; 0 is part of the range and means NULL.
  public var count: ClosedRange<Int>
  /// Ranks, ascending.
  public var ranks: [Int]
  public var placement: Placement
  /// Active layers when α is not searched.
  public var fixedLayers: [Int]?
  /// Merge configurations of equal n·r under `perLayer` (equal in law only when alpha is proportional to r).
  public var dedupeByEffectiveRank: Bool
  /// Shapes of the target matrices of one layer; needed by the budget guards.
  public var matrices: [MatrixShape]
  /// Largest number of trainable parameters; nil for no limit.
  public var maxTrainable: Int?
  /// Largest effective rank of one matrix (n·r under `perLayer`); nil for no limit.
  public var maxEffectiveRank: Int?

  /// The paper's space by default: n in 0...32, r in [8, 16, 32, 64, 96], n LoRAs in every active layer, no guard.
  public init(
    layers: Int, count: ClosedRange<Int> = 0...32, ranks: [Int] = [8, 16, 32, 64, 96],
    placement: Placement = .perLayer, fixedLayers: [Int]? = nil, dedupeByEffectiveRank: Bool = false,
    matrices: [MatrixShape] = [], maxTrainable: Int? = nil, maxEffectiveRank: Int? = nil
  ) {
    self.layers = layers
    self.count = count
    self.ranks = ranks
    self.placement = placement
    self.fixedLayers = fixedLayers
    self.dedupeByEffectiveRank = dedupeByEffectiveRank
    self.matrices = matrices
    self.maxTrainable = maxTrainable
    self.maxEffectiveRank = maxEffectiveRank
  }

  /// Trainable parameters of `active` layers with n = `count` LoRAs of rank `rank`: blocks · r · Σ (input + output).
  public func trainableParameters(active: Int, count: Int, rank: Int) -> Int {
    let perRank = matrices.reduce(0) { $0 + $1.input + $1.output }
    return placement.blocks(active: active, count: count) * rank * perRank
  }

  /// Largest effective rank of a single matrix: blocks in the fullest layer times r.
  public func effectiveRank(active: Int, count: Int, rank: Int) -> Int {
    active > 0 ? placement.blocks(at: 0, active: active, count: count) * rank : 0
  }
}
