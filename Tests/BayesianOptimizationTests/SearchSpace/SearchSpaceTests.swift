import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct SearchSpaceTests {
  /// Every form of the space with few enough configurations to list.
  static let smallSpaces: [MemorySpace] = {
    let shapes = [MemorySpace.MatrixShape(input: 8, output: 32), MemorySpace.MatrixShape(input: 32, output: 8)]
    var result: [MemorySpace] = []
    for placement in Placement.allCases {
      result.append(MemorySpace(layers: 5, count: 0...4, ranks: [2, 4, 8], placement: placement))
      result.append(MemorySpace(layers: 4, count: 2...3, ranks: [4], placement: placement))
      result.append(MemorySpace(layers: 4, count: 3...3, ranks: [2, 4], placement: placement))
      result.append(
        MemorySpace(layers: 6, count: 0...5, ranks: [2, 4], placement: placement, fixedLayers: [1, 3, 4]))
      result.append(
        MemorySpace(
          layers: 5, count: 0...4, ranks: [2, 4, 8], placement: placement, matrices: shapes, maxTrainable: 1_000,
          maxEffectiveRank: 16))
    }
    result.append(MemorySpace(layers: 4, count: 1...8, ranks: [2, 4, 8], dedupeByEffectiveRank: true))
    return result
  }()

  /// All configurations as written, canonical or not.
  private func everything(_ memory: MemorySpace) -> [Configuration] {
    let subsets =
      memory.fixedLayers.map { [$0] }
      ?? (0..<(1 << memory.layers)).map { mask in
        (0..<memory.layers).filter { mask >> $0 & 1 == 1 }
      }
    return subsets.flatMap { layers in
      memory.count.flatMap { count in memory.ranks.map { .memory(layers: layers, count: count, rank: $0) } }
    }
  }

  @Test(arguments: smallSpaces)
  func countingAgreesWithEnumerationAndBruteForce(memory: MemorySpace) throws {
    let space = try SearchSpace(memory: memory)
    let valid = everything(memory).filter(space.isValid)
    let keys = Set(try valid.map(space.key))
    let listed = try #require(space.enumerated(limit: 100_000))
    #expect(space.size.exact == keys.count)
    #expect(abs(space.size.log2 - log2(Double(keys.count))) < 1e-9)
    #expect(listed.count == keys.count)
    #expect(Set(try listed.map(space.key)) == keys)
    #expect(space.enumerated(limit: keys.count - 1) == nil)
  }

  @Test(arguments: smallSpaces)
  func canonicalFormsAreIdempotentValidAndEncodedAlike(memory: MemorySpace) throws {
    let space = try SearchSpace(memory: memory)
    for configuration in everything(memory) {
      let canonical = try space.canonical(configuration)
      #expect(try space.canonical(canonical) == canonical)
      #expect(try space.key(canonical) == space.key(configuration))
      if !configuration.isNull {
        #expect(space.isValid(canonical) == space.isValid(configuration))
        #expect(try space.encode(canonical) == space.encode(configuration))
        let row = try space.encode(configuration)
        #expect(row.count == space.dimension && row.allSatisfy { (0...1).contains($0) })
      } else {
        #expect(canonical.isNull && !space.isValid(configuration))
      }
    }
  }

  @Test(arguments: smallSpaces)
  func neighboursAreValidDistinctAndReachEverything(memory: MemorySpace) throws {
    let space = try SearchSpace(memory: memory)
    let all = try #require(space.enumerated(limit: 100_000))
    for configuration in all.prefix(200) {
      let neighbours = try space.neighbours(of: configuration)
      #expect(Set(neighbours).count == neighbours.count)
      #expect(!neighbours.contains(configuration))
      #expect(neighbours.allSatisfy { space.isValid($0) })
    }
  }

  @Test func randomDrawsAreUniform() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 4, count: 0...3, ranks: [2, 4], placement: .total))
    let all = try #require(space.enumerated(limit: 1_000))
    var stream = RandomStream(seed: 5, purpose: "uniform")
    var counts: [String: Int] = [:]
    let draws = 200 * all.count
    for _ in 0..<draws { counts[try space.key(space.random(using: &stream)), default: 0] += 1 }
    #expect(counts.count == all.count)
    let chiSquare = counts.values.reduce(0.0) { $0 + pow(Double($1) - 200, 2) / 200 }
    let freedom = Double(all.count - 1)
    #expect(abs(chiSquare - freedom) < 5 * (2 * freedom).squareRoot())
  }

  @Test func paperSpaceHasItsDimensionEncodingAndSize() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 32))
    #expect(space.dimension == 34)
    let row = try space.encode(.memory(layers: [0, 31], count: 8, rank: 32))
    #expect(row[0] == 1 && row[1] == 0 && row[31] == 1 && row[32] == 0.25 && row[33] == 0.5)
    #expect(space.size.exact == ((1 << 32) - 1) * 32 * 5)
    #expect(space.columnNames.first == "layer 0" && space.columnNames.last == "rank")
    #expect(try space.neighbours(of: .memory(layers: [0, 31], count: 8, rank: 32)).count == 32 + 31 + 4)
  }

  @Test func fixedFactorsAreNotEncoded() throws {
    let layers = try SearchSpace(memory: MemorySpace(layers: 12, count: 1...1, ranks: [8]))
    #expect(layers.dimension == 12)
    let sizes = try SearchSpace(memory: MemorySpace(layers: 12, fixedLayers: Array(0..<12)))
    #expect(sizes.dimension == 2)
    #expect(throws: SearchSpaceError.self) { try sizes.encode(.memory(layers: [0], count: 1, rank: 8)) }
  }

  @Test func idleLayersAndNullShareKeys() throws {
    let total = try SearchSpace(memory: MemorySpace(layers: 6, count: 0...4, ranks: [8], placement: .total))
    #expect(
      try total.key(.memory(layers: [0, 2, 5], count: 2, rank: 8))
        == total.key(.memory(layers: [0, 2], count: 2, rank: 8)))
    let single = try SearchSpace(memory: MemorySpace(layers: 6, count: 0...4, ranks: [8], placement: .onePerLayer))
    #expect(
      try single.key(.memory(layers: [1], count: 4, rank: 8)) == single.key(.memory(layers: [1], count: 1, rank: 8)))
    let null = try total.key(.memory(layers: [], count: 3, rank: 8))
    #expect(try total.key(.memory(layers: [1, 2], count: 0, rank: 8)) == null)
    #expect(null == "NULL")
  }

  @Test func effectiveRankMergesOnlyOnDemand() throws {
    let merged = try SearchSpace(
      memory: MemorySpace(layers: 3, count: 1...4, ranks: [8, 16], dedupeByEffectiveRank: true))
    let plain = try SearchSpace(memory: MemorySpace(layers: 3, count: 1...4, ranks: [8, 16]))
    let a = Configuration.memory(layers: [1], count: 2, rank: 8)
    let b = Configuration.memory(layers: [1], count: 1, rank: 16)
    #expect(try merged.key(a) == merged.key(b))
    #expect(try plain.key(a) != plain.key(b))
  }

  @Test func budgetGuardNamesTheNumbers() throws {
    let shapes = [MemorySpace.MatrixShape(input: 768, output: 3_072), .init(input: 3_072, output: 768)]
    let space = try SearchSpace(memory: MemorySpace(layers: 12, matrices: shapes, maxTrainable: 1_000_000))
    let large = Configuration.memory(layers: 0..<12, count: 32, rank: 96)
    #expect(!space.isValid(large))
    do {
      try space.validate(large)
      Issue.record("an over-budget configuration was accepted")
    } catch let error as SearchSpaceError {
      #expect(error.code == .overBudget && error.message.contains("\(12 * 32 * 96 * 7_680)"))
    }
    var stream = RandomStream(seed: 1, purpose: "guard")
    for _ in 0..<200 { #expect(space.isValid(space.random(using: &stream))) }
    #expect(throws: SearchSpaceError.self) {
      try SearchSpace(memory: MemorySpace(layers: 12, matrices: shapes, maxTrainable: 100))
    }
  }

  @Test func nonsensicalSpacesAreRefused() {
    for memory in [
      MemorySpace(layers: 0), MemorySpace(layers: 4, count: 0...0), MemorySpace(layers: 4, ranks: []),
      MemorySpace(layers: 4, ranks: [8, 8]), MemorySpace(layers: 4, ranks: [16, 8]),
      MemorySpace(layers: 4, fixedLayers: [4]), MemorySpace(layers: 4, maxTrainable: 5),
      MemorySpace(layers: 100_000), MemorySpace(layers: 4, count: -1...3),
    ] {
      #expect(throws: SearchSpaceError.self) { try SearchSpace(memory: memory) }
    }
    for factors in [
      [], [Factor(name: "a", domain: .ordinal([]))], [Factor(name: "a", domain: .integer(Int.min...Int.max))],
      [Factor(name: "a", domain: .toggle), Factor(name: "a", domain: .toggle)],
      [Factor(name: "a", domain: .categorical([.text("x"), .text("x")]))],
      [Factor(name: "a", domain: .integer(0...3), fixed: .integer(9))],
    ] {
      #expect(throws: SearchSpaceError.self) { try SearchSpace(factors: factors) }
    }
  }

  @Test func genericSpacesEncodeAndRoundTrip() throws {
    let factors = try JSONDecoder().decode(
      [Factor].self,
      from: Data(
        """
        [{"name":"bias","type":"switch"},{"name":"depth","type":"integer","min":2,"max":6},
         {"name":"dropout","type":"ordinal","values":[0,0.1,0.2]},
         {"name":"kind","type":"categorical","values":["a","b","c"]},
         {"name":"seed","type":"integer","min":0,"max":9,"fixed":3}]
        """.utf8))
    let space = try SearchSpace(factors: factors)
    #expect(space.dimension == 1 + 1 + 1 + 3)
    #expect(space.size.exact == 2 * 5 * 3 * 3)
    let text = #"{"factors":{"bias":true,"depth":3,"dropout":0.1,"kind":"c","seed":3}}"#
    let configuration = try JSONDecoder().decode(Configuration.self, from: Data(text.utf8))
    #expect(try space.encode(configuration) == [1, 0.25, 0.5, 0, 0, 1])
    #expect(try space.canonical(configuration) == configuration)
    #expect(try space.neighbours(of: configuration).count == 1 + 4 + 2 + 2)
    let all = try #require(space.enumerated(limit: 90))
    #expect(Set(try all.map(space.key)).count == 90)
    let again = try JSONDecoder().decode([Factor].self, from: JSONEncoder().encode(factors))
    #expect(again == factors)
    for wrong in [
      #"{"factors":{"bias":true}}"#, #"{"factors":{"bias":true,"depth":9,"dropout":0.1,"kind":"c","seed":3}}"#,
      #"{"factors":{"bias":true,"depth":3,"dropout":0.1,"kind":"c","seed":4}}"#,
      #"{"factors":{"bias":true,"depth":3,"dropout":0.1,"kind":"c","seed":3,"x":1}}"#,
      #"{"layers":[0],"count":1,"rank":8}"#,
    ] {
      let stranger = try JSONDecoder().decode(Configuration.self, from: Data(wrong.utf8))
      #expect(throws: SearchSpaceError.self) { try space.key(stranger) }
    }
  }
}
