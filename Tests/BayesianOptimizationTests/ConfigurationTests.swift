import Foundation
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct ConfigurationTests {
  @Test func jsonIsTheDocumentedForm() throws {
    let configuration = Configuration.memory(layers: [7, 0, 1], count: 4, rank: 16)
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    #expect(
      String(decoding: try encoder.encode(configuration), as: UTF8.self) == #"{"count":4,"layers":[0,1,7],"rank":16}"#)
    #expect(try JSONDecoder().decode(Configuration.self, from: encoder.encode(configuration)) == configuration)
    #expect(configuration.description == "layers 0-1,7 x 4 rank 16")
    #expect(Configuration.memory(layers: [], count: 4, rank: 8).isNull)
  }

  @Test(arguments: [
    #"{"layers":[0,0],"count":1,"rank":8}"#, #"{"layers":[-1],"count":1,"rank":8}"#,
    #"{"layers":[0],"count":-1,"rank":8}"#,
    #"{"layers":[0],"count":1}"#, #"{"layers":[0],"count":1,"rank":8,"extra":1}"#,
    #"{"layers":[0],"count":1,"rank":8,"factors":{}}"#, #"{"factors":{"a":[1]}}"#, "[]", "{}",
  ])
  func badConfigurationsAreRefused(text: String) {
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(Configuration.self, from: Data(text.utf8)) }
  }

  @Test func observationLines() throws {
    let pending = try JSONDecoder().decode(
      ObservationLine.self, from: Data(#"{"configuration":{"layers":[0],"count":1,"rank":8},"pending":true}"#.utf8))
    #expect(pending.pending && pending.observation == nil)
    let line = try JSONDecoder().decode(
      ObservationLine.self,
      from: Data(#"{"configuration":{"layers":[0],"count":1,"rank":8},"objectives":{"loss":1.5,"rougeL":null}}"#.utf8))
    let observation = try #require(line.observation)
    let objectives = [Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize)]
    #expect(observation.maximizedValues(objectives) == nil)
    #expect(observation.maximizedValues([objectives[0]]) == [-1.5])
    for text in [
      #"{"pending":true,"objectives":{"loss":1}}"#, #"{"configuration":{"layers":[0],"count":1,"rank":8}}"#,
      #"{"objectives":{"loss":1},"note":1}"#,
    ] {
      #expect(throws: DecodingError.self) { try JSONDecoder().decode(ObservationLine.self, from: Data(text.utf8)) }
    }
  }
}
