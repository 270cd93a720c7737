import Foundation
import ModelFiles
import StrictJSON

extension ModelConfiguration {
  /// The text of a `config.json` that Transformers reads and that reads back to this value.
  ///
  /// - Parameter storedType: the type of the weights beside it (`dtype`).
  public func json(storedType: TensorType = .float32) -> String {
    var object = JSONObject()
    object.append("architectures", .array([.string(architectureClass)]))
    object.append("model_type", .string(architecture.rawValue))
    object.append("dtype", .string(storedType.configurationName ?? "float32"))
    appendShape(to: &object)
    object.append("initializer_range", .number(initializerRange))
    object.append("tie_word_embeddings", .bool(tiedHead))
    object.append("vocab_size", .integer(vocabularySize))
    object.append("bos_token_id", bosID.map { .integer($0) } ?? .null)
    switch eosIDs.count {
    case 0: object.append("eos_token_id", .null)
    case 1: object.append("eos_token_id", .integer(eosIDs[0]))
    default: object.append("eos_token_id", .array(eosIDs.map { .integer($0) }))
    }
    object.append("pad_token_id", paddingID.map { .integer($0) } ?? .null)
    object.append("use_cache", .bool(true))
    return JSONValue.object(object).text(indent: 2) + "\n"
  }

  /// Writes `config.json` atomically.
  public func write(to url: URL, storedType: TensorType = .float32) throws {
    try ModelFileError.writing(json(storedType: storedType), to: url)
  }

  /// The reference's class of this language model.
  var architectureClass: String {
    switch architecture {
    case .gpt2: "GPT2LMHeadModel"
    case .roberta: "RobertaForCausalLM"
    case .llama: "LlamaForCausalLM"
    }
  }

  private func appendShape(to object: inout JSONObject) {
    switch architecture {
    case .gpt2:
      object.append("activation_function", .string("gelu_new"))
      object.append("n_embd", .integer(hiddenSize))
      object.append("n_head", .integer(headCount))
      object.append("n_inner", intermediateSize == 4 * hiddenSize ? .null : .integer(intermediateSize))
      object.append("n_layer", .integer(layerCount))
      object.append("n_positions", .integer(positionCount))
      object.append("layer_norm_epsilon", .number(normEpsilon))
      object.append("scale_attn_weights", .bool(true))
    case .roberta:
      object.append("is_decoder", .bool(true))
      object.append("hidden_act", .string("gelu"))
      object.append("type_vocab_size", .integer(tokenTypeCount))
      object.append("layer_norm_eps", .number(normEpsilon))
      appendCommonSizes(to: &object)
    case .llama:
      object.append("hidden_act", .string("silu"))
      object.append("attention_bias", .bool(false))
      object.append("mlp_bias", .bool(false))
      object.append("head_dim", .integer(headSize))
      object.append("num_key_value_heads", .integer(keyValueHeadCount))
      object.append("rms_norm_eps", .number(normEpsilon))
      // Both layouts, so that Transformers before and after version 5 read the same base.
      object.append("rope_theta", .number(ropeTheta))
      object.append(
        "rope_parameters", .object(JSONObject([("rope_theta", .number(ropeTheta)), ("rope_type", .string("default"))])))
      appendCommonSizes(to: &object)
    }
  }

  private func appendCommonSizes(to object: inout JSONObject) {
    object.append("hidden_size", .integer(hiddenSize))
    object.append("intermediate_size", .integer(intermediateSize))
    object.append("num_attention_heads", .integer(headCount))
    object.append("num_hidden_layers", .integer(layerCount))
    object.append("max_position_embeddings", .integer(positionCount))
  }
}
