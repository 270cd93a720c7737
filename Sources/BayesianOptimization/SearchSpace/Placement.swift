/// How the n LoRAs of a memory configuration are placed on the active layers A.
///
/// The one place that turns a placement into blocks: the size of a configuration, the guards of the space, the model of what
/// fits into memory and the adapter that is trained all ask here.
public enum Placement: String, Sendable, Hashable, Codable, CaseIterable {
  /// n parallel LoRAs on every target matrix of every active layer.
  case perLayer
  /// n LoRAs in all, dealt round-robin over the active layers in ascending order.
  case total
  /// One LoRA in each of the first min(n, |A|) active layers.
  case onePerLayer

  /// LoRAs on each target matrix of one active layer.
  ///
  /// - Parameters:
  ///   - position: the layer's place among the active ones, ascending from 0; the first layer has the most.
  ///   - active: number |A| of active layers, at least 1.
  ///   - count: n.
  public func blocks(at position: Int, active: Int, count: Int) -> Int {
    switch self {
    case .perLayer: count
    case .total: count / active + (position < count % active ? 1 : 0)
    case .onePerLayer: position < count ? 1 : 0
    }
  }

  /// LoRAs on each target over all active layers, the sum of ``blocks(at:active:count:)``; none without an active layer.
  public func blocks(active: Int, count: Int) -> Int {
    guard active > 0 else { return 0 }
    return switch self {
    case .perLayer: active * count
    case .total: count
    case .onePerLayer: min(active, count)
    }
  }
}
