import Foundation
import ModelFiles
import StrictJSON
import TestSupport
import Testing

@testable import Checkpoints

/// Keys of real files that change nothing are accepted; what may mean something is refused by name.
@Suite("Keys of foreign configurations", .bounded)
struct HarmlessKeysTests {
  private func configuration(_ model: String, _ keys: [String: Any]) throws -> ModelConfiguration {
    var root = try Fixtures.json("goldens/lm/models/\(model)/config.json")
    for (key, value) in keys { root[key] = value }
    return try ModelConfiguration(json: try JSONSerialization.data(withJSONObject: root))
  }

  /// What Transformers wrote into every config.json from version 2.2 to 4.57, and others beside it.
  private static var everyModel: [String: Any] {
    [
      "_name_or_path": "x/y", "_commit_hash": "00ff", "transformers_version": "4.2.0", "torch_dtype": "float16",
      "dtype": "bfloat16", "use_bfloat16": true, "torchscript": true, "tf_legacy_loss": false, "return_dict": true,
      "output_hidden_states": false, "output_attentions": true, "output_past": true, "chunk_size_feed_forward": 0,
      "is_encoder_decoder": false, "is_decoder": true, "add_cross_attention": false,
      "cross_attention_hidden_size": NSNull(),
      "tie_encoder_decoder": true, "pruned_heads": [String: Any](), "max_length": 20, "min_length": 0,
      "do_sample": true,
      "early_stopping": false, "num_beams": 4, "num_beam_groups": 1, "diversity_penalty": 0.0, "temperature": 0.7,
      "top_k": 50, "top_p": 0.9, "typical_p": 1.0, "repetition_penalty": 1.2, "length_penalty": 1.0,
      "no_repeat_ngram_size": 3, "encoder_no_repeat_ngram_size": 0, "bad_words_ids": [[1]], "num_return_sequences": 1,
      "output_scores": false, "return_dict_in_generate": false, "forced_bos_token_id": 0, "forced_eos_token_id": 2,
      "remove_invalid_values": false, "exponential_decay_length_penalty": NSNull(), "suppress_tokens": [1],
      "begin_suppress_tokens": [2], "finetuning_task": "mnli", "id2label": ["0": "A"], "label2id": ["A": 0],
      "num_labels": 2, "_num_labels": 2, "tokenizer_class": "X", "prefix": "p", "sep_token_id": 2, "cls_token_id": 0,
      "mask_token_id": 4, "unk_token_id": 3, "decoder_start_token_id": 0, "eos_token_ids": 0,
      "task_specific_params": ["conversational": ["max_length": 1000]], "problem_type": "regression",
      "gradient_checkpointing": true, "hidden_dropout": 0.1, "unsloth_version": "2025.1", "unsloth_fixed": true,
      "is_llama_config": true, "rope_interleaved": false, "use_cache": false, "attn_implementation": "sdpa",
      "_attn_implementation_autoset": true, "quantization_config": NSNull(), "something_new": false,
      "another_new": [String: Any](), "third_new": [Any](), "fourth_new": NSNull(), "position_embedding_type": NSNull(),
    ]
  }

  @Test("Harmless keys of real files change nothing", arguments: ["gpt2", "roberta", "llama-mha"])
  func accepted(_ model: String) throws {
    let plain = try configuration(model, [:])
    for (key, value) in Self.everyModel {
      #expect(try configuration(model, [key: value]) == plain, "\(key)")
    }
    #expect(try configuration(model, Self.everyModel) == plain)
  }

  @Test("Keys of one architecture that change nothing there")
  func architectures() throws {
    let gpt2: [String: Any] = [
      "summary_type": "cls_index", "summary_activation": "tanh", "summary_first_dropout": 0.1, "n_special": 0,
      "predict_special_tokens": true, "n_ctx": 1024, "hidden_size": 32, "num_hidden_layers": 3,
      "num_attention_heads": 4,
      "max_position_embeddings": 64, "activation_function": "gelu_fast", "reorder_and_upcast_attn": true,
    ]
    for (key, value) in gpt2 {
      #expect(try configuration("gpt2", [key: value]) == configuration("gpt2", [:]), "\(key)")
    }
    let llama: [String: Any] = [
      "pretraining_tp": 2, "rope_scaling": ["type": "linear", "factor": 1.0], "attention_dropout": 0.1,
      "_flash_attn_2_enabled": true, "head_dim": NSNull(), "pad_token_id": -1,
    ]
    for (key, value) in llama {
      #expect(try configuration("llama-mha", [key: value]) == configuration("llama-mha", [:]), "\(key)")
    }
    let scaled = ["rope_type": "default", "factor": 8.0, "original_max_position_embeddings": 64] as [String: Any]
    #expect(try configuration("llama-mha", ["rope_scaling": scaled]) == configuration("llama-mha", [:]))
  }

  @Test("What may mean something is refused by name")
  func refused() throws {
    let keys: [(String, String, Any)] = [
      ("gpt2", "mystery", 1), ("llama-mha", "rope_interleaved", true), ("gpt2", "pruned_heads", ["0": [1]]),
      ("llama-mha", "rope_scaling", ["type": "linear", "factor": 2.0]), ("llama-mha", "sliding_window", 512),
      ("llama-mha", "logit_scale", 0.5), ("llama-mha", "num_local_experts", 8), ("gpt2", "multi_query", true),
      ("gpt2", "hidden_size", 64), ("llama-mha", "quantization_config", ["bits": 4]), ("gpt2", "new_switch", true),
      ("roberta", "pad_token_id", NSNull()),
      ("gpt2", "position_embedding_type", "relative_key"), ("llama-mha", "partial_rotary_factor", 0.5),
    ]
    for (model, key, value) in keys {
      let error = #expect(throws: ModelFileError.self, "\(key)") { try configuration(model, [key: value]) }
      #expect(error?.message.contains("'\(key)") == true, "\(error?.message ?? "")")
    }
  }

  @Test("No key stands in two groups, and each group says why")
  func lists() {
    for groups in [HarmlessKeys.modelConfiguration, HarmlessKeys.adapterConfiguration] {
      let all = groups.flatMap(\.keys)
      #expect(Set(all).count == all.count)
      #expect(groups.allSatisfy { $0.reason.count > 20 && !$0.keys.isEmpty })
    }
  }

  @Test("__metadata__ may be null or empty")
  func metadata() throws {
    let folder = try TemporaryFolder()
    let url = folder.url.appendingPathComponent("t.safetensors")
    for text in [#""__metadata__":null,"#, #""__metadata__":{},"#, ""] {
      let header = "{\(text)\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}"
      var data = Data()
      withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { data.append(contentsOf: $0) }
      data.append(Data(header.utf8))
      data.append(Data([0, 0, 0, 0]))
      try data.write(to: url)
      #expect(try SafetensorsFile(url).metadata.isEmpty)
    }
  }
}
