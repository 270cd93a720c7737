/// One residual branch of a layer, x ← x + f(norm(x)) with f attention or the feed-forward.
///
/// Sublayers have the order of computation: L layers have 2 L, and `attention(L)` stands for what follows the last one.
enum Sublayer: Hashable, Strideable {
  case attention(Int)
  case feedForward(Int)

  /// The number of its layer, from 0.
  var layer: Int {
    switch self {
    case .attention(let layer), .feedForward(let layer): layer
    }
  }

  /// Its place in the order of computation, from 0.
  private var index: Int {
    switch self {
    case .attention(let layer): 2 * layer
    case .feedForward(let layer): 2 * layer + 1
    }
  }

  func distance(to other: Sublayer) -> Int { other.index - index }

  func advanced(by count: Int) -> Sublayer {
    let place = index + count
    return place % 2 == 0 ? .attention(place / 2) : .feedForward(place / 2)
  }
}
