// Counter-based random numbers.
//
// Philox4x32-10: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
// SC 2011. A block of 128 random bits is a pure function of a 128-bit counter and a 64-bit key, so that any number of
// any stream can be recomputed without replaying what came before it.

/// The Philox4x32-10 bijection: 128-bit counter and 64-bit key in, 128 random bits out.
public enum Philox {
  private static let multiplier0: UInt32 = 0xD251_1F53
  private static let multiplier1: UInt32 = 0xCD9E_8D57
  private static let weyl0: UInt32 = 0x9E37_79B9
  private static let weyl1: UInt32 = 0xBB67_AE85

  /// Ten rounds of the bijection.
  public static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for _ in 0..<10 {
      let p0 = multiplier0.multipliedFullWidth(by: c.x)
      let p1 = multiplier1.multipliedFullWidth(by: c.z)
      c = SIMD4(p1.high ^ c.y ^ k.x, p1.low, p0.high ^ c.w ^ k.y, p0.low)
      k = SIMD2(k.x &+ weyl0, k.y &+ weyl1)
    }
    return c
  }
}
