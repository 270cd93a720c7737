import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct AnalyticProblemTests {
  struct File: Decodable {
    var configs: [[Int]]
    var objectives: [[Double]]
  }
  struct Front: Decodable {
    var hv_max: Double
    var front: [[Double]]
    var configs_one_representative: [[Int]]
  }

  static func memory(_ row: [Int]) -> Configuration {
    .memory(layers: (0..<32).filter { row[$0] == 1 }, count: row[32], rank: [8, 16, 32, 64, 96][row[33]])
  }

  static func factors(_ row: [Int]) -> Configuration {
    var values: [String: FactorValue] = [:]
    for index in 0..<32 { values["b\(index)"] = .flag(row[index] == 1) }
    values["n"] = .integer(row[32])
    values["r"] = .integer([8, 16, 32, 64, 96][row[33]])
    return .factors(values)
  }

  @Test func sparseFunctionMatchesTheReferenceValues() throws {
    let file = try Fixtures.decode(File.self, from: "goldens/bo/synthetic_function.json")
    let memory = try #require(AnalyticProblem.sparse34)
    let factors = try #require(AnalyticProblem.sparse34Factors)
    #expect(memory.space.dimension == 34 && factors.space.dimension == 34)
    for (row, expected) in zip(file.configs, file.objectives) {
      for values in [try memory.evaluate(Self.memory(row)), try factors.evaluate(Self.factors(row))] {
        #expect(abs(-(values["loss"] ?? .nan) - expected[0]) < 1e-12)
        #expect(abs((values["rougeL"] ?? .nan) - expected[1]) < 1e-12)
      }
      if row[32] > 0 && row[..<32].contains(1) {
        #expect(try memory.space.encode(Self.memory(row)) == factors.space.encode(Self.factors(row)))
      }
    }
  }

  @Test func sparseFrontHasTheStoredHypervolume() throws {
    let front = try Fixtures.decode(Front.self, from: "goldens/bo/synthetic_true_front.json")
    let problem = try #require(AnalyticProblem.sparse34)
    let rows = try front.configs_one_representative.map { row in
      let values = try problem.evaluate(Self.memory(row))
      return [-(values["loss"] ?? .nan), values["rougeL"] ?? .nan]
    }
    let volume = Hypervolume.value(rows, reference: problem.maximizedReference)
    #expect(abs(volume - front.hv_max) < 1e-12)
    #expect(problem.maximumHypervolume == front.hv_max)
  }

  /// Values computed by an independent script from the published formulas.
  @Test func publishedFunctions() {
    let x = [3, 0, 5, 20, 7, 1, 12, 9].map { Double($0) / 20 }
    #expect(abs(AnalyticProblem.zdtValues(1, x)[1] - 3.6524570910250804) < 1e-12)
    #expect(abs(AnalyticProblem.zdtValues(2, x)[1] - 4.466396622546783) < 1e-12)
    let y = AnalyticProblem.dtlz2Values([6, 0, 5, 20, 7, 10].map { Double($0) / 20 })
    #expect(abs(y[0] - 1.4122453408385631) < 1e-12 && abs(y[1] - 0.7195749420871815) < 1e-12)
    // Branin's three minima have the value 0.397887.
    for (a, b) in [(-Double.pi, 12.275), (Double.pi, 2.275), (9.42478, 2.475)] {
      #expect(abs(AnalyticProblem.braninCurrinValues([(a + 5) / 15, b / 15])[0] - 0.397887) < 1e-5)
    }
  }

  @Test func maximaAreThoseOfTheWholeGrid() throws {
    let problem = try #require(AnalyticProblem.named("branin-currin"))
    let rows = (0...100).flatMap { i in
      (0...100).map { j in AnalyticProblem.braninCurrinValues([Double(i) / 100, Double(j) / 100]).map { -$0 } }
    }
    let largest = Hypervolume.value(rows, reference: problem.maximizedReference)
    #expect(abs(largest - (problem.maximumHypervolume ?? 0)) < 1e-9)
    // On the others no random point may lie above the front from which the maximum is computed.
    for name in ["zdt1", "zdt2", "dtlz2"] {
      let problem = try #require(AnalyticProblem.named(name))
      let maximum = try #require(problem.maximumHypervolume)
      let front = try (0...20).map { first -> [Double] in
        let rest: FactorValue = .integer(name == "dtlz2" ? 10 : 0)
        var factors = Dictionary(uniqueKeysWithValues: (1..<problem.space.dimension).map { ("x\($0)", rest) })
        factors["x0"] = .integer(first)
        let values = try problem.evaluate(.factors(factors))
        return problem.objectives.map { -(values[$0.name] ?? .nan) }
      }
      #expect(abs(Hypervolume.value(front, reference: problem.maximizedReference) - maximum) < 1e-12)
      var stream = RandomStream(seed: 2, purpose: "maximum")
      for _ in 0..<500 {
        let values = try problem.evaluate(problem.space.random(using: &stream))
        let row = problem.objectives.map { -(values[$0.name] ?? .nan) }
        #expect(Hypervolume.improvement(of: row, over: front, reference: problem.maximizedReference) < 1e-12)
      }
    }
  }

  @Test(arguments: AnalyticProblem.names)
  func everyProblemHasAName(name: String) throws {
    let problem = try #require(AnalyticProblem.named(name))
    #expect(problem.name == name)
    var stream = RandomStream(seed: 1, purpose: "problem")
    for index in 0..<20 {
      let configuration = problem.space.random(using: &stream)
      let values = try problem.observe(configuration, seed: 3, index: index)
      #expect(Set(values.keys) == Set(problem.objectives.map(\.name)))
      #expect(values.values.allSatisfy { $0.isFinite })
      #expect(try problem.observe(configuration, seed: 3, index: index) == values)
    }
    #expect(AnalyticProblem.named("unknown") == nil)
  }
}
