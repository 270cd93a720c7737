/// Conversions between f32 and the two 16-bit formats, branch-free so that they compile to vector code.
///
/// To 16 bits rounds to nearest, ties to even (IEEE 754); NaN stays NaN.
package enum HalfPrecision {
  /// bf16 → f32: exact.
  ///
  /// `input` needs no alignment.
  package static func bfloat16ToFloat32(_ input: UnsafeRawPointer, _ output: UnsafeMutablePointer<Float>, _ count: Int)
  {
    let bits = UnsafeMutableRawPointer(output)
    for index in 0..<count {
      let half = input.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
      bits.storeBytes(of: UInt32(half) &<< 16, toByteOffset: index &* 4, as: UInt32.self)
    }
  }

  /// f16 → f32: exact, subnormals, infinities and NaN included.
  ///
  /// `input` needs no alignment.
  package static func float16ToFloat32(_ input: UnsafeRawPointer, _ output: UnsafeMutablePointer<Float>, _ count: Int) {
    // Shift exponent and mantissa into place, then multiply by 2^112: moves the bias from 15 to 127 and normalises
    // subnormals in one step. An exponent of 31 (infinity, NaN) is then set to 255.
    let scale = Float(sign: .plus, exponent: 112, significand: 1)
    for index in 0..<count {
      let half = UInt32(input.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
      let magnitude = half & 0x7FFF
      let scaled = (Float(bitPattern: magnitude &<< 13) * scale).bitPattern
      let special: UInt32 = magnitude >= 0x7C00 ? 0x7F80_0000 : 0
      output[index] = Float(bitPattern: scaled | special | (half & 0x8000) &<< 16)
    }
  }

  /// f32 → bf16 bit patterns, rounded to nearest even.
  package static func float32ToBFloat16(
    _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<UInt16>, _ count: Int
  ) {
    for index in 0..<count {
      let bits = input[index].bitPattern
      let rounded = (bits &+ 0x7FFF &+ (bits &>> 16 & 1)) &>> 16
      let quiet = bits &>> 16 | 0x40
      output[index] = UInt16(truncatingIfNeeded: bits & 0x7FFF_FFFF > 0x7F80_0000 ? quiet : rounded)
    }
  }

  /// f32 → f16 bit patterns, rounded to nearest even; beyond 65,519 becomes infinity.
  package static func float32ToFloat16(
    _ input: UnsafePointer<Float>, _ output: UnsafeMutablePointer<UInt16>, _ count: Int
  ) {
    for index in 0..<count { output[index] = float16Bits(input[index].bitPattern) }
  }

  private static func float16Bits(_ bits: UInt32) -> UInt16 {
    let sign = UInt16(truncatingIfNeeded: bits &>> 16 & 0x8000)
    let magnitude = bits & 0x7FFF_FFFF
    if magnitude > 0x7F80_0000 { return sign | 0x7E00 }
    if magnitude >= 0x477F_F000 { return sign | 0x7C00 }
    if magnitude < 0x3880_0000 {
      // Subnormal: adding 0.5 leaves the rounded multiple of 2^-24 in the low mantissa bits.
      let shifted = Float(bitPattern: magnitude) + Float(0.5)
      return sign | UInt16(truncatingIfNeeded: shifted.bitPattern &- Float(0.5).bitPattern)
    }
    let rounded = magnitude &+ 0xFFF &+ (magnitude &>> 13 & 1)
    return sign | UInt16(truncatingIfNeeded: (rounded &- 0x3800_0000) &>> 13)
  }
}
