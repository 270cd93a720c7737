import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Checkpoints

@Suite(.bounded) struct PEFTAdapterTests {
  private static let cases = ["gpt2", "roberta", "llama-mha", "llama-gqa"].flatMap { model in
    ["two-active", "parallel2", "mixed"].map { (model, $0) }
  }

  private func read(_ model: String, _ kind: String) throws -> (PEFTAdapter, ModelConfiguration) {
    let configuration = try ModelConfiguration(contentsOf: Fixtures.url("goldens/lm/models/\(model)/config.json"))
    let directory = Fixtures.url("goldens/lm/adapters/\(model)-\(kind)")
    return (try PEFTAdapter(directory: directory, for: configuration), configuration)
  }

  /// The reference's adapters hold the LoRAs of goldens/lm/golden, their blocks concatenated.
  @Test(arguments: cases)
  func readsReferenceAdapters(_ model: String, _ kind: String) throws {
    let (adapter, _) = try read(model, kind)
    let golden = try Fixtures.json("goldens/lm/golden/lora-\(model)-\(kind).json")
    let lora = try #require(golden["lora"] as? [String: [[String: Any]]])
    #expect(adapter.modules.count == lora.count)
    #expect(adapter.baseModel == model)
    for module in adapter.modules {
      let blocks = try #require(lora[module.name], "\(module.name)")
      #expect(adapter.scale(of: module) == 1)
      var rows: [[Double]] = []
      var columns = [[Double]](repeating: [], count: module.outputs)
      for block in blocks {
        rows += try #require(block["A"] as? [[Double]])
        for (index, row) in try #require(block["B"] as? [[Double]]).enumerated() { columns[index] += row }
      }
      #expect(module.a == rows.joined().map { Float($0) })
      #expect(module.b == columns.joined().map { Float($0) })
    }
  }

  /// Written, read and written again: equal values, equal bytes; the targets are those of the verified exports.
  @Test(arguments: cases)
  func exportsLikeTheReference(_ model: String, _ kind: String) throws {
    var (adapter, configuration) = try read(model, kind)
    for index in adapter.modules.indices where adapter.modules[index].rank == 8 {
      adapter.modules[index].blocks = [4, 4]
    }
    adapter.provenance = ["study": "quickstart"]
    let folder = try TemporaryFolder()
    let (one, two) = (folder.url.appendingPathComponent("1"), folder.url.appendingPathComponent("2"))
    try adapter.write(to: one, for: configuration)
    let again = try PEFTAdapter(directory: one, for: configuration)
    #expect(again == adapter)
    try again.write(to: two, for: configuration)
    for name in ["adapter_config.json", "adapter_model.safetensors", "engram.json"] {
      #expect(
        try Data(contentsOf: one.appendingPathComponent(name)) == Data(contentsOf: two.appendingPathComponent(name)))
    }
    let source = Fixtures.url("goldens/lm/adapters/\(model)-\(kind)")
    #expect(
      try Data(contentsOf: one.appendingPathComponent("adapter_model.safetensors"))
        == Data(contentsOf: source.appendingPathComponent("adapter_model.safetensors")))
    let written = try JSONObject(contentsOf: one.appendingPathComponent("adapter_config.json"))
    let reference = try JSONObject(contentsOf: source.appendingPathComponent("adapter_config.json"))
    for key in ["layers_to_transform", "layers_pattern", "fan_in_fan_out", "use_rslora", "bias", "task_type"] {
      #expect(written[key]?.text() == reference[key]?.text(), "\(key)")
    }
    #expect(written["target_modules"]?.text() == reference["target_modules"]?.text())
  }

  @Test func uniformVariantComputesTheSame() throws {
    var (adapter, configuration) = try read("gpt2", "mixed")
    adapter.modules[0].alpha = 6
    let uniform = adapter.uniform()
    #expect(Set(uniform.modules.map(\.rank)) == [8])
    #expect(uniform.modules.allSatisfy { uniform.scale(of: $0) == 1 })
    for (module, padded) in zip(adapter.modules, uniform.modules) {
      let (one, two) = (Self.product(adapter, module), Self.product(uniform, padded))
      for (left, right) in zip(one, two) { #expect(abs(left - right) <= 1e-6 * max(1, abs(left))) }
    }
    let folder = try TemporaryFolder()
    try uniform.write(to: folder.url, for: configuration)
    let config = try JSONObject(contentsOf: folder.url.appendingPathComponent("adapter_config.json"))
    #expect(config["rank_pattern"]?.objectValue?.members.isEmpty == true)
    #expect(config["alpha_pattern"]?.objectValue?.members.isEmpty == true)
    #expect(try PEFTAdapter(directory: folder.url, for: configuration) == uniform)
  }

  /// s·BA, [outputs, inputs].
  private static func product(_ adapter: PEFTAdapter, _ module: PEFTAdapter.Module) -> [Double] {
    var result = [Double](repeating: 0, count: module.outputs * module.inputs)
    for row in 0..<module.outputs {
      for rank in 0..<module.rank {
        let factor = adapter.scale(of: module) * Double(module.b[row * module.rank + rank])
        for column in 0..<module.inputs {
          result[row * module.inputs + column] += factor * Double(module.a[rank * module.inputs + column])
        }
      }
    }
    return result
  }

  @Test func rankStabilizedScale() throws {
    var (adapter, configuration) = try read("gpt2", "two-active")
    adapter.usesRankStabilizedScale = true
    #expect(adapter.scale(of: adapter.modules[0]) == 2)
    let folder = try TemporaryFolder()
    try adapter.write(to: folder.url, for: configuration)
    #expect(try PEFTAdapter(directory: folder.url, for: configuration) == adapter)
  }

  /// Different matrices in different layers need a full expression.
  @Test func unevenLayersExportByExpression() throws {
    for model in ["gpt2", "roberta", "llama-mha"] {
      var (adapter, configuration) = try read(model, "two-active")
      adapter.modules.removeLast()
      let folder = try TemporaryFolder()
      try adapter.write(to: folder.url, for: configuration)
      #expect(try PEFTAdapter(directory: folder.url, for: configuration) == adapter)
    }
  }

  @Test func unsupportedSettingsAreNamed() throws {
    let edits: [(String, Any)] = [
      ("use_dora", true), ("modules_to_save", ["lm_head"]), ("bias", "all"), ("surprise", 1),
      ("peft_type", "IA3"), ("task_type", "SEQ_CLS"), ("init_lora_weights", "pissa"), ("lora_bias", true),
      ("layer_replication", [[0, 1]]), ("target_parameters", ["x"]), ("trainable_token_indices", [1]),
      ("r", 5), ("rank_pattern", ["c_fc": 2]), ("target_modules", ["mlp.c_fc"]), ("layers_to_transform", [0]),
      ("layers_to_transform", [0, 1, 2]), ("target_modules", "(a|b)+"), ("exclude_modules", ["mlp.c_fc"]),
    ]
    let configuration = try ModelConfiguration(contentsOf: Fixtures.url("goldens/lm/models/gpt2/config.json"))
    let source = Fixtures.url("goldens/lm/adapters/gpt2-two-active")
    let folder = try TemporaryFolder()
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("adapter_model.safetensors"),
      to: folder.url.appendingPathComponent("adapter_model.safetensors"))
    for (key, value) in edits {
      var root = try Fixtures.json("goldens/lm/adapters/gpt2-two-active/adapter_config.json")
      root[key] = value
      try JSONSerialization.data(withJSONObject: root)
        .write(to: folder.url.appendingPathComponent("adapter_config.json"))
      #expect(throws: ModelFileError.self, "\(key)") { try PEFTAdapter(directory: folder.url, for: configuration) }
    }
    var root = try Fixtures.json("goldens/lm/adapters/gpt2-two-active/adapter_config.json")
    root["eva_config"] = NSNull()
    root["surprise"] = NSNull()
    root["new_feature"] = false
    root["megatron_core"] = "megatron.core"
    root["target_modules"] = ["c_fc", "mlp.c_proj"]
    try JSONSerialization.data(withJSONObject: root).write(to: folder.url.appendingPathComponent("adapter_config.json"))
    #expect(try PEFTAdapter(directory: folder.url, for: configuration).modules.count == 4)
  }

  @Test func strayTensorsAreRefused() throws {
    let (adapter, configuration) = try read("gpt2", "two-active")
    let folder = try TemporaryFolder()
    try adapter.write(to: folder.url, for: configuration)
    let url = folder.url.appendingPathComponent("adapter_model.safetensors")
    let tensors = try SafetensorsFile(url).tensors.map { TensorSource($0) }
    let prefix = "base_model.model.transformer."
    for name in ["\(prefix)h.1.mlp.c_fc.lora_A.weight", "\(prefix)wte.weight", "\(prefix)h.0.mlp.c_fc.lora_magnitude"] {
      let stray = TensorSource(name: name, shape: [4, 32], values: [Float](repeating: 0, count: 128))
      try SafetensorsWriter.write(tensors + [stray], to: url)
      #expect(throws: ModelFileError.self, "\(name)") { try PEFTAdapter(directory: folder.url, for: configuration) }
    }
    try SafetensorsWriter.write(Array(tensors.dropLast()), to: url)
    #expect(throws: ModelFileError.self) { try PEFTAdapter(directory: folder.url, for: configuration) }
  }

  @Test func expressions() throws {
    let expression = try SimpleExpression("model\\.layers\\.\\d+\\.(mlp\\.up_proj|x).*", key: "k")
    #expect(expression.matches("model.layers.12.mlp.up_proj"))
    #expect(!expression.matches("model.layers.a.mlp.up_proj"))
    #expect(!expression.matches("model_layers.1.mlp.up_proj"))
    let cases: [(String, yes: [String], no: [String])] = [
      ("a+b?", ["a", "aab"], ["", "b", "abb"]), ("^a$", ["a"], ["aa"]), ("(a|(b|cc))*", ["", "abcca"], ["c"]),
      ("[a-z_]+\\d", ["x_9"], ["9", "X9"]), ("[^.]*", ["", "ab"], ["a.b"]), ("a{2}", ["aa"], ["a", "aaa"]),
      ("a{,2}b{1,}", ["b", "aabb"], ["aaab", "aa"]), ("a{x", ["a{x"], ["a"]),
      (".*?\\.(?:q|v)_proj", ["m.q_proj"], ["q_proj"]),
      ("(?!.*\\.1\\.).*\\.c_fc", ["h.0.c_fc"], ["h.1.c_fc"]), ("(?=a).b?", ["a", "ab"], ["b"]),
      (".*(?<=h\\.)1\\..*", ["h.1.x"], ["g.1.x"]), (".*(?<!h\\.)1\\..*", ["g.1.x"], ["h.1.x"]),
      (".*\\bfc\\b", ["a.fc"], ["a_fc"]), ("[]x]+", ["]x"], ["y"]), ("\\w+\\-\\S", ["a-b"], ["a- "]), ("", [""], ["a"]),
      ("a|", ["a", ""], ["b"]),
    ]
    for (text, yes, no) in cases {
      let expression = try SimpleExpression(text, key: "k")
      for name in yes { #expect(expression.matches(name), "\(text) \(name)") }
      for name in no { #expect(!expression.matches(name), "\(text) \(name)") }
    }
    let deep = String(repeating: "(", count: 40) + "a" + String(repeating: ")", count: 40)
    for bad in [
      "(a", "a)", "*a", "a**", "a++", "a{3,2}", "a{1001}", "(?P<x>a)", "(?i)a", "(a)\\1", "[z-a]", "[a", "\\p", "^*",
      deep,
      String(repeating: "a*", count: 257), String(repeating: "a", count: 65_537),
    ] {
      #expect(throws: ModelFileError.self, "\(bad.prefix(20))") { try SimpleExpression(bad, key: "k") }
    }
  }

  @Test("Hostile expressions end soon", .timeLimit(.minutes(1)))
  func boundedMatching() throws {
    let text = String(repeating: "a", count: 60)
    for hostile in [
      "(a*)*b", "(a|a)*b", "(a|aa)+b", "((a*)*)*b", String(repeating: "a*", count: 256) + "b", "(.*a){50}b",
    ] {
      #expect(!(try SimpleExpression(hostile, key: "k")).matches(text), "\(hostile.prefix(20))")
    }
  }
}
