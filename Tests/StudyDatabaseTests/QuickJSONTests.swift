import BayesianOptimization
import Foundation
import RandomStreams
import Study
import TestSupport
import Testing

@testable import StudyDatabase

/// The quick reader says the same as the strict one, or nothing.
@Suite(.bounded) struct QuickJSONTests {
  @Test func recordsAreReadExactly() throws {
    let encoder = RowEncoder()
    var random = RandomStream(seed: 1, purpose: "test/quick")
    for index in 0..<300 {
      let layers = (0..<random.integer(below: 12)).filter { _ in random.uniform() < 0.5 }
      let configuration = BayesianOptimization.Configuration.memory(layers: layers, count: index, rank: 8)
      let text = try encoder.text(configuration)
      let read = QuickJSON.configuration(text)
      #expect(read == nil || read == configuration)
      let values = [random.normal() * 1e-300, random.normal() * 1e300, Double(index), 0.1 + 0.2, -0.0]
      let result = TrialResult(
        objectives: ["loss": values[random.integer(below: 5)], "rougeL": random.uniform()],
        standardErrors: random.uniform() < 0.5 ? ["loss": random.uniform()] : nil, metrics: ["seconds": values[1]])
      let again = QuickJSON.result(try encoder.text(result))
      #expect(again == result)
      #expect(again?.objectives["loss"]?.bitPattern == result.objectives["loss"]?.bitPattern)
      let provenance = Provenance(
        source: "nehvi", proposalIndex: index, fallbacks: ["map", "sobol"], eventNumber: 7, pending: layers,
        warmStartFrom: index % 2 == 0 ? 3 : nil, hasWarmStart: true, acquisition: values[0],
        diagnostics: ["a": values[1], "b": 3])
      #expect(QuickJSON.provenance(try encoder.text(provenance)) == provenance)
    }
  }

  @Test(arguments: [
    "", "{", "[1,2", "{\"a\"}", "tru", "{\"a\":1,}", "1 2", "\"a\\n\"", "null", "[[[[[[[[[[1]]]]]]]]]]", "-", "1e",
    "\u{0}",
  ])
  func whatIsNotExpectedIsLeftToTheStrictReader(_ text: String) {
    #expect(QuickJSON.parse(text).map { "\($0)" } == nil)
    #expect(QuickJSON.configuration(text) == nil)
    #expect(QuickJSON.result(text) == nil)
    #expect(QuickJSON.provenance(text) == nil)
  }

  @Test func unknownKeysAreLeftToTheStrictReader() {
    #expect(QuickJSON.configuration("{\"layers\":[1],\"count\":1,\"rang\":8}") == nil)
    #expect(QuickJSON.configuration("{\"layers\":[1,1],\"count\":1,\"rank\":8}") == nil)
    #expect(QuickJSON.result("{\"objectives\":{\"loss\":1},\"artifacts\":[]}") == nil)
    #expect(QuickJSON.result("{\"metrics\":{\"loss\":1}}") == nil)
    #expect(QuickJSON.provenance("{\"source\":\"x\"}") == nil)
  }
}
