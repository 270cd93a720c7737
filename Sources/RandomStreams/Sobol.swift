// Scrambled Sobol sequences.
//
// I. M. Sobol', "On the distribution of points in a cube and the approximate evaluation of integrals", 1967. Direction
// numbers: S. Joe, F. Y. Kuo, "Constructing Sobol sequences with better two-dimensional projections", SIAM J. Sci.
// Comput. 30 (2008), file new-joe-kuo-6.21201. Scrambling: nested uniform (Owen 1995) by hashing the reversed bits
// (S. Laine, T. Karras, 2011; B. Burley, "Practical hash-based Owen scrambling", JCGT 9 (2020)).

/// An Owen-scrambled Sobol sequence: point i is a pure function of (seed, i).
public struct Sobol: Sendable {
  /// The largest number of dimensions.
  public static let maximumDimension = 256
  /// Coordinates of a point.
  public let dimension: Int
  /// Direction numbers, dimension x 32, most significant bit first.
  private let directions: [UInt32]
  /// Scrambling key of each dimension; nil for the plain sequence.
  private let keys: [UInt32]?

  /// The sequence scrambled by a random stream.
  public init(dimension: Int, scrambledBy stream: inout RandomStream) {
    var keys: [UInt32] = []
    for _ in 0..<dimension { keys.append(UInt32(truncatingIfNeeded: stream.next())) }
    self.init(dimension: dimension, keys: keys)
  }

  /// The plain, unscrambled sequence; its point 0 is the origin.
  public init(dimension: Int) { self.init(dimension: dimension, keys: nil) }

  private init(dimension: Int, keys: [UInt32]?) {
    precondition(
      (0...Self.maximumDimension).contains(dimension), "Sobol points have at most \(Self.maximumDimension) dimensions")
    self.dimension = dimension
    self.keys = keys
    directions = (0..<dimension).flatMap(Self.directionNumbers)
  }

  /// Point `index` (below 2³²): `dimension` coordinates strictly inside (0, 1) when scrambled, in [0, 1) when plain.
  public func point(_ index: Int) -> [Double] {
    let gray = UInt32(truncatingIfNeeded: index)
    return (0..<dimension).map { axis in
      var value: UInt32 = 0
      var bits = gray
      var bit = 0
      while bits != 0 {
        if bits & 1 == 1 { value ^= directions[axis * 32 + bit] }
        bits >>= 1
        bit += 1
      }
      guard let keys else { return Double(value) * 0x1p-32 }
      return (Double(Self.scramble(value, key: keys[axis])) + 0.5) * 0x1p-32
    }
  }

  /// Nested uniform scrambling: every bit is flipped by a hash of the bits above it.
  private static func scramble(_ value: UInt32, key: UInt32) -> UInt32 {
    var x = reversed(value)
    x ^= x &* 0x3d20_adea
    x = x &+ key
    x = x &* ((key >> 16) | 1)
    x ^= x &* 0x0552_6c56
    x ^= x &* 0x53a2_2864
    return reversed(x)
  }

  private static func reversed(_ value: UInt32) -> UInt32 {
    var x = value
    x = ((x >> 1) & 0x5555_5555) | ((x & 0x5555_5555) << 1)
    x = ((x >> 2) & 0x3333_3333) | ((x & 0x3333_3333) << 2)
    x = ((x >> 4) & 0x0f0f_0f0f) | ((x & 0x0f0f_0f0f) << 4)
    return x.byteSwapped
  }

  /// v_1 … v_32 of one dimension by the recurrence of its primitive polynomial.
  private static func directionNumbers(_ axis: Int) -> [UInt32] {
    var m: [UInt32]
    if axis == 0 {
      m = [UInt32](repeating: 1, count: 32)
    } else {
      let row = JoeKuo.row(axis)
      m = row.initial
      let degree = m.count
      for k in degree..<32 {
        var value = m[k - degree] ^ (m[k - degree] << UInt32(degree))
        for j in 1..<max(1, degree) where (row.polynomial >> UInt32(degree - 1 - j)) & 1 == 1 {
          value ^= m[k - j] << UInt32(j)
        }
        m.append(value)
      }
    }
    return m.enumerated().map { $1 << UInt32(31 - $0) }
  }
}
