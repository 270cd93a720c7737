import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Checkpoints

/// Which modules an adapter_config.json adapts: the answers are those of PEFT 0.21.2.
@Suite("Targets of adapters", .bounded)
struct PEFTMatchingTests {
  private func configuration(_ keys: [String: Any]) throws -> PEFTConfiguration {
    var root: [String: Any] = ["peft_type": "LORA", "r": 4]
    for (key, value) in keys { root[key] = value }
    let data = try JSONSerialization.data(withJSONObject: root)
    guard case .object(let object) = try JSONParser.parse(data) else { throw ModelFileError(.malformed, "no object") }
    return try PEFTConfiguration(object)
  }

  private func adapted(_ keys: [String: Any], _ model: String = "llama-mha") throws -> Set<String> {
    let model = try Checkpoint(Fixtures.url("goldens/lm/models/\(model)")).configuration
    let config = try configuration(keys)
    let all =
      PEFTAdapter.linearLayers(of: model).keys.map { ($0, ModuleKind.blockLinear) }
      + model.otherModules.map { ($0.name, $0.kind) }
    return Set(all.filter { config.adapts($0.0, kind: $0.1, of: model.architecture) }.map(\.0))
  }

  private func layers(_ numbers: [Int], _ paths: String...) -> Set<String> {
    Set(numbers.flatMap { number in paths.map { "model.layers.\(number).\($0)" } })
  }

  @Test("Suffixes, full paths and layers")
  func suffixes() throws {
    #expect(try adapted(["target_modules": ["q_proj"]]) == layers([0, 1, 2], "self_attn.q_proj"))
    #expect(try adapted(["target_modules": ["roj"]]).isEmpty)
    #expect(
      try adapted(["target_modules": ["up_proj", "model.layers.2.mlp.down_proj"], "layers_to_transform": [0]])
        == layers([0], "mlp.up_proj").union(layers([2], "mlp.down_proj")))
    #expect(try adapted(["target_modules": ["up_proj"], "layers_to_transform": 1]) == layers([1], "mlp.up_proj"))
    #expect(try adapted(["target_modules": ["up_proj"], "layers_to_transform": []]).count == 3)
    #expect(
      try adapted(["target_modules": ["up_proj"], "layers_to_transform": [2], "layers_pattern": "layers"])
        == layers([2], "mlp.up_proj"))
    #expect(try adapted(["target_modules": ["up_proj"], "layers_to_transform": [2], "layers_pattern": "h"]).isEmpty)
    #expect(try adapted(["target_modules": ["up_proj"], "exclude_modules": ["model.layers.1.mlp.up_proj"]]).count == 2)
    #expect(try adapted(["target_modules": ["up_proj"], "exclude_modules": ".*\\.[12]\\..*"]).count == 1)
    #expect(try adapted(["target_modules": ["mlp"]]) == Set((0..<3).map { "model.layers.\($0).mlp" }))
    #expect(try adapted(["target_modules": NSNull()]) == layers([0, 1, 2], "self_attn.q_proj", "self_attn.v_proj"))
    #expect(try adapted([:], "roberta").count == 6)
    #expect(try adapted([:], "gpt2").allSatisfy { $0.hasSuffix("attn.c_attn") })
  }

  @Test("Expressions and all-linear")
  func expressions() throws {
    #expect(try adapted(["target_modules": ".*\\.(q|v)_proj"]).count == 6)
    #expect(try adapted(["target_modules": "q_proj"]).isEmpty)
    #expect(try adapted(["target_modules": "(?!.*\\.1\\.).*up_proj$"]) == layers([0, 2], "mlp.up_proj"))
    for name in ["all-linear", "ALL-Linear"] {
      #expect(try adapted(["target_modules": name]).count == 21)
      #expect(try adapted(["target_modules": name], "gpt2").count == 12)
      #expect(try adapted(["target_modules": name], "roberta").contains("lm_head.dense"))
      #expect(try !adapted(["target_modules": name], "roberta").contains("lm_head.decoder"))
    }
    for bad: [String: Any] in [
      ["target_modules": ".*", "layers_to_transform": [0]], ["target_modules": ".*", "layers_pattern": "h"],
      ["target_modules": ["up_proj"], "layers_pattern": "layers"], ["target_modules": "(a"],
      ["target_modules": [1]], ["target_modules": ["x"], "layers_to_transform": ["0"]],
    ] {
      #expect(throws: ModelFileError.self, "\(bad)") { try configuration(bad) }
    }
  }

  @Test("Patterns of ranks and alphas are expressions; the first one that matches counts")
  func patterns() throws {
    let config = try configuration([
      "target_modules": ["up_proj"], "rank_pattern": ["layers.[01].mlp.up_proj": 2, "_proj": 3],
      "alpha_pattern": [".*\\.2\\..*": 5],
    ])
    #expect(config.rank(of: "model.layers.1.mlp.up_proj") == 2)
    #expect(config.rank(of: "model.layers.2.mlp.up_proj") == 4)
    #expect(config.alpha(of: "model.layers.2.mlp.up_proj") == 5)
    #expect(config.alpha(of: "model.layers.1.mlp.up_proj") == 8)
    #expect(throws: ModelFileError.self) {
      try configuration(["target_modules": ["x"], "rank_pattern": ["up_proj": 0]])
    }
  }

  @Test("What cannot be adapted here is refused with its true reason")
  func reasons() throws {
    let folder = try TemporaryFolder()
    func message(_ model: String, _ keys: [String: Any], tensors: [String] = []) throws -> String {
      var root = try Fixtures.json("goldens/lm/adapters/\(model)-two-active/adapter_config.json")
      for (key, value) in keys { root[key] = value }
      try JSONSerialization.data(withJSONObject: root).write(
        to: folder.url.appendingPathComponent("adapter_config.json"))
      let source = Fixtures.url("goldens/lm/adapters/\(model)-two-active/adapter_model.safetensors")
      try SafetensorsWriter.write(
        SafetensorsFile(source).tensors.map { TensorSource($0) }
          + tensors.map { ModelFolder.tensor("base_model.model.\($0).weight", [4, 4]) },
        to: folder.url.appendingPathComponent("adapter_model.safetensors"))
      let configuration = try Checkpoint(Fixtures.url("goldens/lm/models/\(model)")).configuration
      let error = #expect(throws: ModelFileError.self) { try PEFTAdapter(directory: folder.url, for: configuration) }
      return error?.message ?? ""
    }
    let free: [String: Any] = ["layers_to_transform": NSNull(), "layers_pattern": NSNull()]
    func with(_ targets: Any) -> [String: Any] { free.merging(["target_modules": targets]) { $1 } }
    #expect(
      try message("roberta", with("all-linear")).contains("'lm_head.dense', which is a linear layer outside the blocks")
    )
    #expect(try message("llama-mha", with(["embed_tokens"])).contains("'model.embed_tokens', which is an embedding"))
    #expect(try message("llama-mha", with(["lm_head"])).contains("'lm_head', which makes the logits"))
    #expect(try message("llama-mha", with(["mlp"])).contains("'model.layers.0.mlp', which is no linear layer"))
    #expect(try message("gpt2", with(["q_proj"])).contains("adapts no module of this gpt2 model"))
    let stray = try message("roberta", [:], tensors: ["lm_head.dense.lora_A", "lm_head.dense.lora_B"])
    #expect(stray.contains("'lm_head.dense', which is a linear layer outside the blocks"))
    let shape = try message("llama-mha", ["r": 3])
    #expect(shape.contains("rank 3") && shape.contains("need A [3, "))
  }

  @Test("Settings of the first values are harmless where they are over; those that change the base are refused")
  func initialisation() throws {
    for value: Any in [true, false, "gaussian", "orthogonal", "eva"] {
      _ = try configuration(["target_modules": ["x"], "init_lora_weights": value])
    }
    for value in ["pissa", "pissa_niter_4", "olora", "loftq", "corda", "lora_ga"] {
      #expect(throws: ModelFileError.self) { try configuration(["target_modules": ["x"], "init_lora_weights": value]) }
    }
    _ = try configuration([
      "target_modules": ["x"], "eva_config": ["rho": 2.0], "loftq_config": ["loftq_bits": 4], "peft_version": "0.17.1",
      "runtime_config": ["ephemeral_gpu_offload": false], "qalora_group_size": 16, "megatron_core": "megatron.core",
      "merge_weights": true, "enable_lora": NSNull(), "auto_mapping": ["parent_library": "x"], "revision": "main",
    ])
  }
}
