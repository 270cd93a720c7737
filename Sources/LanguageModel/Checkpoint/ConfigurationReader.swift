/// Reads the keys of a `config.json` one by one and refuses what nobody asked for.
struct ConfigurationReader {
  private let object: JSONObject
  private var used: Set<String> = []

  /// Sizes beyond this are refused before anything is multiplied.
  static let maximumSize = 1 << 24

  /// Lists of weights grow with the number of layers, so it is bounded more tightly.
  static let maximumLayers = 1024

  init(_ object: JSONObject) { self.object = object }

  /// Keys of the Transformers library that have no effect on what the model computes here: provenance, dropout (a
  /// training setting of ours), defaults for its own generation and task heads.
  private static let withoutEffect: Set<String> = [
    "_name_or_path", "_attn_implementation", "_attn_implementation_autoset", "_from_model_config", "_commit_hash",
    "architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "use_cache", "output_attentions",
    "output_hidden_states", "output_past", "return_dict", "torchscript", "use_bfloat16", "chunk_size_feed_forward",
    "attn_pdrop", "embd_pdrop", "resid_pdrop", "attention_dropout", "hidden_dropout_prob", "classifier_dropout",
    "attention_probs_dropout_prob", "gradient_checkpointing", "summary_activation", "summary_first_dropout",
    "summary_proj_to_labels", "summary_type", "summary_use_proj", "task_specific_params", "id2label", "label2id",
    "num_labels", "problem_type", "finetuning_task", "tokenizer_class", "prefix", "sep_token_id", "cls_token_id",
    "mask_token_id", "unk_token_id", "decoder_start_token_id", "max_length", "min_length", "do_sample", "temperature",
    "top_k", "top_p", "num_beams", "repetition_penalty", "length_penalty", "early_stopping", "no_repeat_ngram_size",
    "max_sequence_length", "license", "auto_map", "pretraining_tp",
  ]

  mutating func ignore(_ key: String) { used.insert(key) }

  mutating func architecture() throws -> ModelConfiguration.Architecture {
    used.formUnion(["model_type", "architectures"])
    if let type = try object.string("model_type") {
      if let architecture = ModelConfiguration.Architecture(rawValue: type) { return architecture }
      throw ModelFileError(
        .unsupported, "'model_type' \(type) is not supported; supported are gpt2, roberta and llama")
    }
    // Early LLaMA configurations have no model_type.
    for name in try object.array("architectures") ?? [] {
      switch name.stringValue ?? "" {
      case "GPT2LMHeadModel": return .gpt2
      case "RobertaForCausalLM", "RobertaForMaskedLM": return .roberta
      case "LlamaForCausalLM", "LLaMAForCausalLM": return .llama
      default: continue
      }
    }
    throw ModelFileError(
      .missing, "neither 'model_type' nor a known 'architectures' entry; supported: gpt2, roberta, llama")
  }

  /// A positive size under the first of `keys` that is there.
  mutating func size(_ keys: String...) throws -> Int {
    for key in keys { if let size = try optionalSize(key) { return size } }
    throw ModelFileError(.missing, "'\(keys[0])' is missing")
  }

  mutating func optionalSize(_ key: String) throws -> Int? {
    used.insert(key)
    guard let size = try object.integer(key) else { return nil }
    let limit = ["n_layer", "num_hidden_layers"].contains(key) ? Self.maximumLayers : Self.maximumSize
    guard (1...limit).contains(size) else {
      throw ModelFileError(.tooLarge, "'\(key)' is \(size), expected 1 to \(limit)")
    }
    return size
  }

  mutating func number(_ key: String, default value: Double) throws -> Double {
    used.insert(key)
    return try object.double(key) ?? value
  }

  mutating func flag(_ key: String, default value: Bool) throws -> Bool {
    used.insert(key)
    return try object.bool(key) ?? value
  }

  mutating func text(_ key: String) throws -> String? {
    used.insert(key)
    return try object.string(key)
  }

  /// Refuses any value of `key` other than the one that is implemented.
  mutating func require(_ key: String, _ value: Bool) throws {
    guard try flag(key, default: value) == value else {
      throw ModelFileError(.unsupported, "'\(key)': \(!value) is not supported")
    }
  }

  mutating func activation(_ key: String, default value: String, allowed: [String]) throws {
    let name = try text(key) ?? value
    guard allowed.contains(name) else {
      throw ModelFileError(
        .unsupported, "'\(key)': the activation \(name) is not supported for this architecture, only \(allowed[0])")
    }
  }

  /// Token ids under `key`: an integer, an array of integers, or nothing.
  mutating func ids(_ key: String) throws -> [Int] {
    used.insert(key)
    guard let value = object.present(key) else { return [] }
    let ids = (value.arrayValue ?? [value]).map(\.integerValue)
    let known = ids.compactMap { $0 }
    guard known.count == ids.count, known.allSatisfy({ $0 >= 0 }) else {
      // Some early LLaMA files say -1 for "no padding token".
      if known == [-1] { return [] }
      throw ModelFileError(.malformed, "'\(key)' must be a token id or an array of them")
    }
    return known
  }

  /// The rotary base from `rope_parameters` (Transformers 5) or `rope_theta` with `rope_scaling` (before).
  mutating func ropeTheta() throws -> Double {
    used.formUnion(["rope_parameters", "rope_scaling"])
    var theta = try number("rope_theta", default: 10_000)
    for key in ["rope_parameters", "rope_scaling"] {
      guard let rope = try object.object(key) else { continue }
      for (name, value) in rope.members {
        switch name {
        case "rope_type", "type":
          guard value.stringValue == "default" else {
            throw ModelFileError(
              .unsupported, "'\(key).\(name)' \(value.text()) is not supported: only unscaled rotary positions are")
          }
        case "rope_theta":
          guard let number = value.doubleValue else {
            throw ModelFileError(.malformed, "'\(key).rope_theta' must be a number")
          }
          theta = number
        case "partial_rotary_factor" where value.doubleValue == 1: continue
        default: throw ModelFileError(.unsupported, "'\(key).\(name)' is not supported")
        }
      }
    }
    if let factor = try object.double("partial_rotary_factor"), factor != 1 {
      throw ModelFileError(.unsupported, "'partial_rotary_factor' \(factor) is not supported")
    }
    used.insert("partial_rotary_factor")
    return theta
  }

  /// Refuses every key that was neither read nor is known to be without effect here.
  func finish() throws {
    for (key, value) in object.members where !used.contains(key) && !Self.withoutEffect.contains(key) {
      // A feature that is switched off changes nothing.
      if value.isNull { continue }
      throw ModelFileError(
        .unsupported, "the key '\(key)' is not known; if it does not change what the model computes, remove it")
    }
    if let quantization = object.present("quantization_config") {
      throw ModelFileError(.unsupported, "'quantization_config' (\(quantization.kind)) is not supported")
    }
  }
}
