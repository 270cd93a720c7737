import Foundation
import TestSupport
import Testing

@testable import Study

/// The lists of pending trials stay short on disk, and come back exactly.
@Suite(.bounded) struct ProvenanceCodingTests {
  @Test func listsOfEveryKindComeBack() throws {
    let scattered = (0..<500).map { $0 * 1_000 }
    let dense = Array(0..<40) + (50..<2_000).filter { $0 % 7 != 0 } + [9_000]
    for pending in [[], [3], Array(5..<30), Array(100..<1_100), dense, scattered, Array((0..<100).reversed())] {
      let provenance = Provenance(source: "sobol", proposalIndex: 3, eventNumber: 9, pending: pending)
      let data = try JSONEncoder().encode(provenance)
      #expect(try JSONDecoder().decode(Provenance.self, from: data) == provenance)
    }
    let thousand = Provenance(source: "sobol", eventNumber: 9, pending: Array(9_000..<10_000))
    #expect(try JSONEncoder().encode(thousand).count < 400)
  }

  @Test func whatIsNoSetIsRefused() {
    for text in ["", ":", "x:1", "3", "3:g", "-1:f", "1:2:3", "9223372036854775807:f"] {
      #expect(NumberSetText.numbers(text) == nil, "\(text)")
    }
    #expect(NumberSetText.numbers("8:c1") == [8, 9, 15])
  }
}
