import TestSupport
import Testing

@testable import RandomStreams

/// Known answers of the Random123 library (`kat_vectors`, philox4x32, 10 rounds).
@Suite(.bounded) struct PhiloxTests {
  @Test func zeroCounterAndKey() {
    #expect(
      Philox.block(counter: SIMD4(repeating: 0), key: SIMD2(repeating: 0))
        == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
  }

  @Test func allOnes() {
    #expect(
      Philox.block(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
        == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
  }

  @Test func digitsOfPi() {
    #expect(
      Philox.block(
        counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344), key: SIMD2(0xa409_3822, 0x299f_31d0))
        == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test func streamsAreKeyedBySeedPurposeAndIndex() {
    var base = RandomStream(seed: 1, purpose: "a", index: 0)
    var again = RandomStream(seed: 1, purpose: "a", index: 0)
    let first = (0..<10).map { _ in base.next() }
    #expect(first == (0..<10).map { _ in again.next() })
    for (seed, purpose, index) in [(2, "a", 0), (1, "b", 0), (1, "a", 1)] as [(UInt64, String, UInt64)] {
      var other = RandomStream(seed: seed, purpose: purpose, index: index)
      #expect(first != (0..<10).map { _ in other.next() })
    }
  }
}
