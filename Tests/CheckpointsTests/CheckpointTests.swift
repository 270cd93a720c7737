import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing
import Tokenizers

@testable import Checkpoints

@Suite(.bounded) struct CheckpointTests {
  private static let names = [
    "gpt2", "gpt2-bf16", "gpt2-noprefix", "gpt2-sharded", "llama-gqa", "llama-gqa-bf16", "llama-mha",
    "llama-mha-sharded", "roberta",
  ]

  private func open(_ name: String) throws -> Checkpoint { try Checkpoint(Fixtures.url("goldens/lm/models/\(name)")) }

  @Test(arguments: names)
  func opens(_ name: String) throws {
    let checkpoint = try open(name)
    #expect(checkpoint.tensors.map(\.name) == checkpoint.configuration.parameters.map(\.name))
    #expect(checkpoint.storedType == (name.hasSuffix("bf16") ? .bfloat16 : .float32))
    #expect(checkpoint.configuration.layerCount == 3)
    #expect(checkpoint.ignoredTensors.count == (name == "gpt2-noprefix" ? 3 : 0))
    for tensor in checkpoint.tensors { #expect(try tensor.float32Values().allSatisfy(\.isFinite)) }
  }

  @Test func layoutsHoldTheSameWeights() throws {
    for (one, two) in [("gpt2", "gpt2-sharded"), ("gpt2", "gpt2-noprefix"), ("llama-mha", "llama-mha-sharded")] {
      let (first, second) = (try open(one), try open(two))
      for tensor in first.tensors {
        #expect(try tensor.float32Values() == second.tensor(tensor.name).float32Values())
      }
      #expect(try first.fingerprint() == second.fingerprint(), "\(one) \(two)")
    }
    #expect(try open("gpt2").fingerprint() != open("gpt2-bf16").fingerprint())
    // bf16 is the f32 weight rounded to nearest even.
    let (exact, rounded) = (try open("gpt2"), try open("gpt2-bf16"))
    for tensor in exact.tensors {
      let values = try tensor.float32Values()
      var bits = [UInt16](repeating: 0, count: values.count)
      HalfPrecision.float32ToBFloat16(values, &bits, values.count)
      #expect(try bits == rounded.tensor(tensor.name).mappedHalfWords.map(Array.init))
    }
  }

  @Test func fingerprintIsCachedUntilTheFileChanges() throws {
    let folder = try TemporaryFolder()
    let model = folder.url.appendingPathComponent("model")
    let cache = folder.url.appendingPathComponent("cache")
    try FileManager.default.copyItem(at: Fixtures.url("goldens/lm/models/gpt2"), to: model)
    let first = try Checkpoint(model).fingerprint(cache: cache)
    #expect(try FileManager.default.contentsOfDirectory(atPath: cache.path).count == 1)
    #expect(try Checkpoint(model).fingerprint(cache: cache) == first)
    #expect(try Checkpoint(model).fingerprint() == first)
    let weights = model.appendingPathComponent("model.safetensors")
    var data = try Data(contentsOf: weights)
    data[data.count - 1] ^= 1
    try data.write(to: weights)
    #expect(try Checkpoint(model).fingerprint(cache: cache) != first)
  }

  @Test func configurations() throws {
    let gpt2 = try open("gpt2").configuration
    #expect(gpt2.architecture == .gpt2)
    #expect((gpt2.hiddenSize, gpt2.intermediateSize, gpt2.headSize) == (32, 128, 8))
    #expect(gpt2.eosIDs == [299] && gpt2.paddingID == nil && gpt2.tiedHead)
    let roberta = try open("roberta").configuration
    #expect((roberta.maximumLength, roberta.firstPosition, roberta.tokenTypeCount) == (64, 2, 1))
    let llama = try open("llama-gqa").configuration
    #expect((llama.keyValueHeadCount, llama.headCount, llama.intermediateSize) == (2, 4, 88))
    #expect(!llama.tiedHead && llama.ropeTheta == 10_000)
    let folder = Fixtures.url("goldens/lm/models/llama-mha")
    #expect(
      try ModelConfiguration(contentsOf: folder.appendingPathComponent("config_legacy.json"))
        == ModelConfiguration(contentsOf: folder.appendingPathComponent("config.json")))
  }

  @Test func writtenConfigurationsReadBack() throws {
    for name in ["gpt2", "roberta", "llama-gqa"] {
      let configuration = try open(name).configuration
      #expect(try ModelConfiguration(json: Data(configuration.json().utf8)) == configuration, "\(name)")
    }
  }

  @Test func unsupportedSettingsAreNamed() throws {
    let edits: [(String, String, Any)] = [
      ("gpt2", "activation_function", "relu"), ("gpt2", "scale_attn_by_inverse_layer_idx", true),
      ("gpt2", "scale_attn_weights", false), ("gpt2", "add_cross_attention", true), ("gpt2", "model_type", "gpt_neo"),
      ("gpt2", "n_layer", 5000), ("gpt2", "n_head", 5), ("gpt2", "eos_token_id", 300), ("gpt2", "mystery", 1),
      ("gpt2", "n_embd", "32"), ("gpt2", "quantization_config", ["bits": 4]), ("llama-mha", "hidden_act", "gelu"),
      ("llama-mha", "attention_bias", true), ("llama-mha", "mlp_bias", true),
      ("llama-mha", "rope_scaling", ["type": "linear", "factor": 2.0]),
      ("llama-mha", "rope_parameters", ["rope_type": "llama3", "factor": 8.0, "rope_theta": 1e4]),
      ("llama-mha", "num_key_value_heads", 3), ("roberta", "position_embedding_type", "relative_key"),
      ("roberta", "hidden_act", "gelu_new"),
    ]
    for (model, key, value) in edits {
      var root = try Fixtures.json("goldens/lm/models/\(model)/config.json")
      root[key] = value
      let data = try JSONSerialization.data(withJSONObject: root)
      let error = #expect(throws: ModelFileError.self, "\(key)") { try ModelConfiguration(json: data) }
      let words = ["n_head": "heads", "num_key_value_heads": "heads", "eos_token_id": "special token"]
      #expect(error?.message.contains(words[key] ?? key) == true, "\(key): \(error?.message ?? "")")
    }
  }

  /// Real configurations of the hub with their odd keys are accepted.
  @Test func publishedConfigurationsAreAccepted() throws {
    let dialoGPT = """
      {"activation_function":"gelu_new","architectures":["GPT2LMHeadModel"],"attn_pdrop":0.1,"bos_token_id":50256,
      "embd_pdrop":0.1,"eos_token_id":50256,"initializer_range":0.02,"layer_norm_epsilon":1e-05,"model_type":"gpt2",
      "n_ctx":1024,"n_embd":768,"n_head":12,"n_layer":12,"n_positions":1024,"resid_pdrop":0.1,
      "summary_activation":null,"summary_first_dropout":0.1,"summary_proj_to_labels":true,"summary_type":"cls_index",
      "summary_use_proj":true,"task_specific_params":{"conversational":{"max_length":1000}},"vocab_size":50257}
      """
    let roberta = """
      {"architectures":["RobertaForMaskedLM"],"attention_probs_dropout_prob":0.1,"bos_token_id":0,"eos_token_id":2,
      "hidden_act":"gelu","hidden_dropout_prob":0.1,"hidden_size":768,"initializer_range":0.02,
      "intermediate_size":3072,"layer_norm_eps":1e-05,"max_position_embeddings":514,"model_type":"roberta",
      "num_attention_heads":12,"num_hidden_layers":12,"pad_token_id":1,"type_vocab_size":1,"vocab_size":50265}
      """
    let llama = """
      {"_name_or_path":"meta-llama/Llama-2-7b-hf","architectures":["LlamaForCausalLM"],"bos_token_id":1,
      "eos_token_id":2,"hidden_act":"silu","hidden_size":4096,"initializer_range":0.02,"intermediate_size":11008,
      "max_position_embeddings":4096,"model_type":"llama","num_attention_heads":32,"num_hidden_layers":32,
      "num_key_value_heads":32,"pretraining_tp":1,"rms_norm_eps":1e-05,"rope_scaling":null,
      "tie_word_embeddings":false,"torch_dtype":"float16","transformers_version":"4.31.0.dev0","use_cache":true,
      "vocab_size":32000}
      """
    #expect(try ModelConfiguration(json: Data(dialoGPT.utf8)).parameterCount == 124_439_808)
    #expect(try ModelConfiguration(json: Data(roberta.utf8)).parameterCount == 124_697_433)
    #expect(try ModelConfiguration(json: Data(llama.utf8)).parameterCount == 6_738_415_616)
  }

  @Test func wrongTensorsAreRefused() throws {
    let folder = try TemporaryFolder()
    let source = Fixtures.url("goldens/lm/models/gpt2")
    let model = folder.url.appendingPathComponent("m")
    try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: source.appendingPathComponent("config.json"), to: model.appendingPathComponent("config.json"))
    let tensors = try SafetensorsFile(source.appendingPathComponent("model.safetensors")).tensors
    func refused(_ word: String, _ change: ([TensorView]) -> [TensorSource]) throws {
      try SafetensorsWriter.write(change(tensors), to: model.appendingPathComponent("model.safetensors"))
      let error = #expect(throws: ModelFileError.self, "\(word)") { try Checkpoint(model) }
      #expect(error?.message.contains(word) == true, "\(word): \(error?.message ?? "")")
    }
    let name = "transformer.h.1.mlp.c_fc.weight"
    try refused("is missing") { $0.filter { $0.name != name }.map { TensorSource($0) } }
    try refused("does not belong") {
      $0.map { TensorSource($0) } + [TensorSource(name: "transformer.extra", shape: [1], values: [0])]
    }
    try refused("does not belong") {
      $0.map { TensorSource($0) } + [TensorSource(name: "h.7.attn.bias", shape: [1], values: [0])]
    }
    try refused("has shape [128, 32]") {
      $0.filter { $0.name != name }.map { TensorSource($0) }
        + [TensorSource(name: name, shape: [128, 32], values: [Float](repeating: 0, count: 4096))]
    }
    try refused("two stored tensors") {
      $0.map { TensorSource($0) } + [TensorSource(name: "ln_f.bias", shape: [1], values: [0])]
    }
  }

  @Test func shardIndexIsChecked() throws {
    let folder = try TemporaryFolder()
    let model = folder.url.appendingPathComponent("m")
    try FileManager.default.copyItem(at: Fixtures.url("goldens/lm/models/gpt2-sharded"), to: model)
    let index = model.appendingPathComponent("model.safetensors.index.json")
    let original = try String(contentsOf: index, encoding: .utf8)
    for (from, to) in [
      ("model-00001-of-00004", "../model-00001-of-00004"), ("model-00001-of-00004", "model-00009-of-00004"),
      ("\"transformer.h.0.ln_1.bias\": \"model-00001", "\"transformer.h.0.ln_1.bias\": \"model-00002"),
      ("transformer.h.0.ln_1.bias", "transformer.h.0.ln_9.bias"),
    ] {
      try original.replacingOccurrences(of: from, with: to).write(to: index, atomically: true, encoding: .utf8)
      #expect(throws: ModelFileError.self, "\(to)") { try Checkpoint(model) }
    }
  }

  @Test func writtenCheckpointsReadBack() throws {
    let folder = try TemporaryFolder()
    let configuration = ModelConfiguration(
      architecture: .gpt2, vocabularySize: 50, hiddenSize: 8, layerCount: 2, headCount: 2, positionCount: 16,
      bosID: 0, eosIDs: [0])
    for (number, limit) in [5 << 30, 2000].enumerated() {
      let directory = folder.url.appendingPathComponent("m\(number)")
      try Checkpoint.write(to: directory, configuration: configuration, maximumShardBytes: limit) { parameter in
        (0..<parameter.shape.reduce(1, *)).map { Float($0) + Float(parameter.name.utf8.count) }
      }
      let checkpoint = try Checkpoint(directory)
      #expect(checkpoint.configuration == configuration)
      #expect(try checkpoint.tensor("transformer.ln_f.bias").float32Values() == (0..<8).map { Float($0) + 21 })
      #expect((Set(checkpoint.tensors.map(\.file.url.path)).count > 1) == (number == 1))
    }
  }

  @Test func mergedCheckpointReplacesSomeWeights() throws {
    let folder = try TemporaryFolder()
    for name in ["gpt2-noprefix", "llama-gqa-bf16"] {
      let base = try open(name)
      let changed = "\(base.configuration.layerPath(1)).\(name.hasPrefix("gpt2") ? "mlp.c_fc" : "mlp.up_proj").weight"
      let target = folder.url.appendingPathComponent(name)
      try base.writeMerged(to: target) { view in
        view.name == changed ? try view.float32Values().map { $0 * 2 } : nil
      }
      let merged = try Checkpoint(target)
      #expect(merged.storedType == base.storedType)
      #expect(merged.configuration == base.configuration)
      for tensor in base.tensors {
        let factor: Float = tensor.name == changed ? 2 : 1
        #expect(try merged.tensor(tensor.name).float32Values() == tensor.float32Values().map { $0 * factor })
      }
      #expect(try Tokenizer(directory: target).encode("the").isEmpty == false)
      #expect(throws: ModelFileError.self) { try base.writeMerged(to: base.directory) { _ in nil } }
    }
  }
}
