import Foundation
import TestSupport
import Testing

@testable import LanguageModel

/// From a configuration to LoRA blocks, and to and from PEFT.
@Suite(.bounded) struct AdapterPlanTests {
  private let llama7B = ModelConfiguration(
    architecture: .llama, vocabularySize: 32000, hiddenSize: 4096, intermediateSize: 11008, layerCount: 32,
    headCount: 32, positionCount: 4096)

  /// Sizes of paper.md §1.2 for LLaMA2-7B with up and down.
  @Test(arguments: [(4, 16, 16), (8, 32, 16), (1, 8, 32), (32, 96, 32)])
  func parameterCounts(_ count: Int, _ rank: Int, _ active: Int) throws {
    let layers = Array(0..<active)
    let plan = AdapterPlan(layers: layers, count: count, rank: rank)
    #expect(try plan.parameterCount(for: llama7B) == active * count * rank * 30_208)
  }

  @Test("layers may carry different numbers of blocks, in any order") func uneven() throws {
    let layers = [(7, 1), (1, 2), (4, 0)].map { AdapterPlan.Layer(index: $0.0, blocks: $0.1, scale: 0.5) }
    let modules = try AdapterPlan(layers: layers, rank: 3, targets: ["up"]).modules(for: llama7B)
    #expect(modules.map(\.layer.layer) == [1, 7] && modules.map(\.blockRanks) == [[3, 3], [3]])
    #expect(modules.allSatisfy { $0.scale == 0.5 })
    #expect(AdapterPlan(layers: [], count: 2, rank: 1).isNull && AdapterPlan(layers: [1], count: 0, rank: 1).isNull)
  }

  @Test func scales() throws {
    func scale(_ plan: AdapterPlan) throws -> Float { try plan.modules(for: llama7B)[0].scale }
    #expect(try scale(AdapterPlan(layers: [0], count: 4, rank: 8)) == 1)
    #expect(try scale(AdapterPlan(layers: [0], count: 4, rank: 8, alpha: 16)) == 2)
  }

  @Test func targets() throws {
    func paths(_ targets: [String], _ name: String) throws -> [String] {
      let shape = DecoderShape(try ModelFixtures.checkpoint(name).configuration)
      return try AdapterTargets.resolve(targets, among: shape.linearLayers(0)).map(\.path)
    }
    #expect(try paths(["up", "down"], "gpt2") == ["mlp.c_fc", "mlp.c_proj"])
    #expect(try paths(["c_proj", "c_fc"], "gpt2") == ["mlp.c_fc", "mlp.c_proj"])
    #expect(try paths(["attn.c_proj"], "gpt2") == ["attn.c_proj"])
    #expect(try paths(["query"], "gpt2") == ["attn.c_attn"])
    #expect(try paths(["up", "down"], "roberta") == ["intermediate.dense", "output.dense"])
    #expect(try paths(["output.dense"], "roberta") == ["output.dense"])
    #expect(try paths(["up", "down"], "llama-gqa") == ["mlp.up_proj", "mlp.down_proj"])
    #expect(try paths(["gate_proj"], "llama-gqa") == ["mlp.gate_proj"])
    #expect(
      try paths(["attention"], "llama-gqa") == ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"])
    #expect(throws: AdapterError.self) { try paths(["wide"], "gpt2") }
    #expect(throws: AdapterError.self) { try paths(["gate"], "gpt2") }
  }

  @Test func refusesWhatDoesNotFit() {
    for plan in [
      AdapterPlan(layers: [32], count: 1, rank: 1), AdapterPlan(layers: [-1], count: 1, rank: 1),
      AdapterPlan(layers: [1, 1], count: 1, rank: 1), AdapterPlan(layers: [1], count: 1, rank: 0),
      AdapterPlan(layers: [1], count: -1, rank: 1), AdapterPlan(layers: [1], count: 1, rank: 1, alpha: 0),
      AdapterPlan(layers: [1], count: 1, rank: 1, targets: []),
    ] {
      #expect(throws: AdapterError.self) { try plan.modules(for: llama7B) }
    }
  }

  @Test func initialBlocksDependOnTheirNumberOnly() throws {
    let model = try ModelFixtures.model("gpt2", on: ReferenceBackend())
    let one = try model.makeAdapter(AdapterPlan(layers: [1], count: 1, rank: 4), seed: 3).values()
    let three = try model.makeAdapter(AdapterPlan(layers: [0, 1], count: 3, rank: 4), seed: 3).values()
    #expect(Array(three[2].a.prefix(one[0].a.count)) == one[0].a)
    let bound = 1 / Float(32).squareRoot()
    #expect(one[0].a.allSatisfy { abs($0) <= bound })
    let variance = three[2].a.reduce(0) { $0 + $1 * $1 } / Float(three[2].a.count)
    #expect(abs(variance - bound * bound / 3) < 0.15 * bound * bound / 3)
    #expect(three.allSatisfy { $0.b.allSatisfy { $0 == 0 } })
  }

  @Test(arguments: LoRAGoldenTests.arguments)
  func peftRoundTrip(_ name: String) throws {
    let modelName = ModelFixtures.models.first { name.hasPrefix($0) } ?? ""
    let model = try ModelFixtures.model(modelName, on: ReferenceBackend())
    let golden = try Fixtures.decode(LoRAGoldenTests.Golden.self, from: "goldens/lm/golden/lora-\(name).json")
    let imported = try PEFTAdapter(
      directory: Fixtures.url("goldens/lm/adapters/\(name)"), for: model.configuration)
    let adapter = try model.makeAdapter(imported)
    let expected = try LoRAGoldenTests.adapter(golden, on: model)
    #expect(adapter.modules.map(\.layer) == expected.modules.map(\.layer))
    #expect(adapter.modules.map(\.scale) == expected.modules.map(\.scale))
    #expect(try adapter.values() == expected.values())
    let folder = try TemporaryFolder()
    try expected.peft(baseModel: modelName).write(to: folder.url, for: model.configuration)
    let again = try model.makeAdapter(try PEFTAdapter(directory: folder.url, for: model.configuration))
    #expect(again.modules == expected.modules)
    #expect(try again.values() == expected.values())
  }

  @Test(arguments: ModelFixtures.models)
  func mergedWeightsGiveTheSameLogits(_ name: String) throws {
    let golden = try Fixtures.decode(LoRAGoldenTests.Golden.self, from: "goldens/lm/golden/lora-\(name)-mixed.json")
    let model = try ModelFixtures.model(name, on: ReferenceBackend())
    let adapter = try LoRAGoldenTests.adapter(golden, on: model)
    let folder = try TemporaryFolder()
    try model.writeMerged([adapter], to: folder.url)
    let merged = try CausalLanguageModel(try Checkpoint(folder.url), backend: ReferenceBackend())
    let ids = [3, 14, 15, 92, 65, 35]
    #expect(relativeDifference(try merged.logits(ids), try model.logits(ids, adapters: [adapter])) < 1e-5)
    #expect(relativeDifference(try merged.logits(ids), try model.logits(ids)) > 1e-3)
  }
}
