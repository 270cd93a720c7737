import Glibc

/// A named, counter-based stream of random numbers.
///
/// A stream is keyed by (seed, purpose, index): the same triple always gives the same numbers, whatever was drawn from
/// other streams before, on any thread. Give every use its own purpose (`"proposal/initial"`, `"lora/init"`) and use
/// the index for the running number of the thing that is drawn (proposal, trial, epoch, chain).
public struct RandomStream: RandomNumberGenerator, Sendable {
  private let key: SIMD2<UInt32>
  private let high: SIMD2<UInt32>
  private var counter: UInt64 = 0
  private var spare: UInt64?
  private var spareNormal: Double?

  /// Opens the stream (seed, purpose, index) at its beginning.
  public init(seed: UInt64, purpose: String, index: UInt64 = 0) {
    // FNV-1a over the purpose, then a SplitMix64 finaliser, so that near-equal names give unrelated keys.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in purpose.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    let mixed = Self.mix(hash ^ Self.mix(seed))
    key = SIMD2(UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed >> 32))
    high = SIMD2(UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32))
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9e37_79b9_7f4a_7c15
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  /// The next 64 random bits.
  public mutating func next() -> UInt64 {
    if let value = spare {
      spare = nil
      return value
    }
    let words = Philox.block(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: counter), UInt32(truncatingIfNeeded: counter >> 32), high.x, high.y),
      key: key)
    counter &+= 1
    spare = UInt64(words.z) | UInt64(words.w) << 32
    return UInt64(words.x) | UInt64(words.y) << 32
  }

  /// A uniform number strictly between 0 and 1 (53 random bits, centred in their cell).
  public mutating func uniform() -> Double {
    (Double(next() >> 11) + 0.5) * 0x1p-53
  }

  /// A standard normal number (Box-Muller; both numbers of a pair are used).
  public mutating func normal() -> Double {
    if let value = spareNormal {
      spareNormal = nil
      return value
    }
    let radius = (-2 * log(uniform())).squareRoot()
    let angle = 2 * Double.pi * uniform()
    spareNormal = radius * sin(angle)
    return radius * cos(angle)
  }

  /// A uniform integer in `0..<bound`; `bound` must be positive.
  public mutating func integer(below bound: Int) -> Int {
    Int(next(upperBound: UInt64(bound)))
  }
}
