/// θ = (α, n, r): which layers hold memory, how many parallel LoRAs, of what rank (paper §2.2.1).
package struct MemoryConfiguration: Hashable, Sendable, Codable {
  /// α: one switch (0 or 1) per layer of the base.
  package var layers: [Int]
  /// n: parallel LoRAs on every target matrix of every active layer.
  package var count: Int
  /// r: rank of each LoRA.
  package var rank: Int

  package init(layers: [Int], count: Int, rank: Int) {
    self.layers = layers
    self.count = count
    self.rank = rank
  }

  /// Positions of the active layers, ascending.
  package var activeLayers: [Int] { layers.indices.filter { layers[$0] != 0 } }
  /// Whether nothing would be injected, so that the model is the base itself.
  package var isNull: Bool { count == 0 || rank == 0 || activeLayers.isEmpty }

  /// The un-injected base with `layers` layers.
  package static func null(layers: Int) -> MemoryConfiguration {
    MemoryConfiguration(layers: Array(repeating: 0, count: layers), count: 0, rank: 1)
  }
}
