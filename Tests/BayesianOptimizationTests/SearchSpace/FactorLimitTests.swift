import Foundation
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite("Factors at the edge of what numbers hold", .bounded)
struct FactorLimitTests {
  @Test(
    "sizes and levels of huge ranges never overflow",
    arguments: [
      Int.min...Int.max, -5_000_000_000_000_000_000...5_000_000_000_000_000_000, 0...Int.max, 0...1_000_000_000,
    ])
  func huge(_ range: ClosedRange<Int>) {
    let factor = Factor(name: "k", domain: .integer(range))
    #expect(factor.levels > Factor.largestCount)
    for value in [range.lowerBound, range.upperBound, 5] { _ = factor.level(of: .integer(value)) }
    for fixed in [nil, FactorValue.integer(5)] {
      let error = #expect(throws: SearchSpaceError.self) {
        try SearchSpace(factors: [Factor(name: "k", domain: .integer(range), fixed: fixed)])
      }
      #expect(error?.message.contains("65536 values") == true)
    }
  }

  @Test("65,536 values are a space, 65,537 are refused", arguments: [0, Int.max - 65_536, Int.min])
  func limit(_ low: Int) throws {
    #expect(try SearchSpace(factors: [Factor(name: "k", domain: .integer(low...(low + 65_535)))]).size.exact == 65_536)
    #expect(throws: SearchSpaceError.self) {
      try SearchSpace(factors: [Factor(name: "k", domain: .integer(low...(low + 65_536)))])
    }
  }

  @Test("a level without end is refused", arguments: [Double.infinity, -.infinity, .nan])
  func endless(_ value: Double) {
    for domain in [Factor.Domain.ordinal([.integer(3), .number(value)]), .categorical([.text("a"), .number(value)])] {
      let error = #expect(throws: SearchSpaceError.self) {
        try SearchSpace(factors: [Factor(name: "k", domain: domain)])
      }
      #expect(error?.message.contains("finite") == true)
    }
  }
}
