import Foundation
import ModelFiles
import StrictJSON

extension ModelConfiguration {
  /// A larger `config.json` is refused.
  static let maximumBytes = 16 << 20

  /// Reads `config.json`.
  ///
  /// Throws `ModelFileError` that names the key where a setting is unknown or not supported.
  public init(contentsOf url: URL) throws {
    let object = try JSONObject(contentsOf: url, limit: Self.maximumBytes)
    self = try naming(url.path) { try ModelConfiguration(object) }
  }

  /// Reads the JSON text of a `config.json`.
  public init(json: Data) throws {
    self = try naming(nil) {
      guard case .object(let object) = try JSONParser.parse(json) else {
        throw ModelFileError(.malformed, "config.json must hold a JSON object")
      }
      return try ModelConfiguration(object)
    }
  }

  init(_ object: JSONObject) throws {
    var reader = ConfigurationReader(object)
    let architecture = try reader.architecture()
    switch architecture {
    case .gpt2: try self.init(gpt2: &reader)
    case .roberta: try self.init(roberta: &reader)
    case .llama: try self.init(llama: &reader)
    }
    bosID = try reader.ids("bos_token_id").first
    eosIDs = try reader.ids("eos_token_id")
    if let padding = try reader.ids("pad_token_id").first { paddingID = padding }
    initializerRange = try reader.number("initializer_range", default: 0.02)
    try reader.require("add_cross_attention", false)
    try reader.require("is_encoder_decoder", false)
    try reader.finish()
    try check()
  }

  private init(gpt2 reader: inout ConfigurationReader) throws {
    let hidden = try reader.size("n_embd", alias: "hidden_size")
    // The oldest files have n_ctx alone; where both are there, the reference looks at n_positions only.
    let context = try reader.optionalSize("n_ctx")
    let positions = try reader.size("n_positions", alias: "max_position_embeddings", default: context)
    self.init(
      architecture: .gpt2, vocabularySize: try reader.size("vocab_size"), hiddenSize: hidden,
      intermediateSize: try reader.optionalSize("n_inner"),
      layerCount: try reader.size("n_layer", alias: "num_hidden_layers"),
      headCount: try reader.size("n_head", alias: "num_attention_heads"), positionCount: positions,
      normEpsilon: try reader.number("layer_norm_epsilon", default: 1e-5),
      tiedHead: try reader.flag("tie_word_embeddings", default: true))
    // Four names of one function: 0.5x(1 + tanh(√(2/π)(x + 0.044715x³))).
    try reader.activation(
      "activation_function", default: "gelu_new",
      allowed: ["gelu_new", "gelu_pytorch_tanh", "gelu_fast", "gelu_accurate"])
    try reader.require("scale_attn_weights", true)
    try reader.require("scale_attn_by_inverse_layer_idx", false)
    // Whether attention is causal is not asked here: it always is.
    reader.ignore("is_decoder")
    if let type = try reader.text("position_embedding_type"), type != "absolute" {
      throw ModelFileError(.unsupported, "'position_embedding_type' \(type) is not supported, only absolute")
    }
  }

  private init(roberta reader: inout ConfigurationReader) throws {
    self.init(
      architecture: .roberta, vocabularySize: try reader.size("vocab_size"), hiddenSize: try reader.size("hidden_size"),
      intermediateSize: try reader.size("intermediate_size"), layerCount: try reader.size("num_hidden_layers"),
      headCount: try reader.size("num_attention_heads"), positionCount: try reader.size("max_position_embeddings"),
      normEpsilon: try reader.number("layer_norm_eps", default: 1e-12),
      tiedHead: try reader.flag("tie_word_embeddings", default: true))
    tokenTypeCount = try reader.size("type_vocab_size")
    try reader.activation("hidden_act", default: "gelu", allowed: ["gelu", "gelu_python"])
    if let type = try reader.text("position_embedding_type"), type != "absolute" {
      throw ModelFileError(.unsupported, "'position_embedding_type' \(type) is not supported, only absolute")
    }
    if reader.isNull("pad_token_id") {
      throw ModelFileError(
        .unsupported, "'pad_token_id' is null, but RoBERTa's positions begin behind the id of its padding; write it")
    }
    // Published RoBERTa checkpoints are encoders; here they always run with a causal mask.
    reader.ignore("is_decoder")
  }

  private init(llama reader: inout ConfigurationReader) throws {
    let hidden = try reader.size("hidden_size")
    let heads = try reader.size("num_attention_heads")
    self.init(
      architecture: .llama, vocabularySize: try reader.size("vocab_size"), hiddenSize: hidden,
      intermediateSize: try reader.size("intermediate_size"), layerCount: try reader.size("num_hidden_layers"),
      headCount: heads, keyValueHeadCount: try reader.optionalSize("num_key_value_heads"),
      headSize: try reader.optionalSize("head_dim"), positionCount: try reader.size("max_position_embeddings"),
      normEpsilon: try reader.number("rms_norm_eps", default: 1e-6),
      tiedHead: try reader.flag("tie_word_embeddings", default: false), ropeTheta: try reader.ropeTheta())
    try reader.activation("hidden_act", default: "silu", allowed: ["silu", "swish"])
    try reader.require("attention_bias", false)
    try reader.require("mlp_bias", false)
    // Whether attention is causal is not asked here: it always is.
    reader.ignore("is_decoder")
  }

  /// Relations between the sizes.
  func check() throws {
    guard headCount % keyValueHeadCount == 0 else {
      throw ModelFileError(
        .mismatch, "\(headCount) attention heads are not a multiple of \(keyValueHeadCount) key/value heads")
    }
    if architecture != .llama || headSize == hiddenSize / headCount {
      guard hiddenSize % headCount == 0 else {
        throw ModelFileError(.mismatch, "the hidden size \(hiddenSize) is not a multiple of \(headCount) heads")
      }
    }
    guard architecture != .llama || headSize % 2 == 0 else {
      throw ModelFileError(.mismatch, "rotary positions need an even head size, 'head_dim' is \(headSize)")
    }
    guard normEpsilon > 0, ropeTheta > 0 else {
      throw ModelFileError(.mismatch, "the norm's epsilon and rope_theta must be positive")
    }
    for id in eosIDs + [bosID, paddingID].compactMap({ $0 }) where !(0..<vocabularySize).contains(id) {
      throw ModelFileError(.mismatch, "special token id \(id) lies outside the vocabulary of \(vocabularySize)")
    }
    guard maximumLength > 0 else {
      throw ModelFileError(.mismatch, "no position is left after padding id \(paddingID ?? 0)")
    }
  }
}
