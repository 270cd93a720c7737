import ModelFiles

/// The class with which Transformers 5 loads a tokenizer, as far as that changes what `tokenizer.json` says.
///
/// `AutoTokenizer` chooses the class by `tokenizer_class` and by the model's type. Most take `tokenizer.json` as it is; some
/// take only vocabulary, merges and template from it and build the rest themselves.
enum TransformersClass: Hashable {
  /// Takes `tokenizer.json` as it is.
  case generic
  case gpt2, roberta, llama, qwen2, gemma, gptNeoX

  /// The class for a folder.
  ///
  /// Throws `ModelFileError` (`unsupported`) for a class that rebuilds its tokenizer in a way that is not known here.
  static func choose(tokenizerClass: String?, modelType: String?, hasByteLevel: Bool) throws -> TransformersClass {
    let hub = tokenizerClass.map(base)
    let registered = modelType.flatMap { ofModelType[$0] }
    let isDistrusted = modelType.map(distrustedTypes.contains) ?? false
    if hub == "LlamaTokenizer", hasByteLevel, !isDistrusted { return .generic }
    if let hub, let registered, registered != hub {
      guard registered != "TokenizersBackend" else { return .generic }
      return try named(isDistrusted ? registered : hub)
    }
    if let hub { return try named(hub) }
    return try registered.map(named) ?? .generic
  }

  private static func base(_ name: String) -> String {
    name.hasSuffix("Fast") && name != "PreTrainedTokenizerFast" ? String(name.dropLast(4)) : name
  }

  private static func named(_ name: String) throws -> TransformersClass {
    switch name {
    case "GPT2Tokenizer": return .gpt2
    case "RobertaTokenizer", "BartTokenizer", "LongformerTokenizer", "LEDTokenizer", "MvpTokenizer":
      return .roberta
    case "LlamaTokenizer": return .llama
    case "Qwen2Tokenizer": return .qwen2
    case "GemmaTokenizer": return .gemma
    case "GPTNeoXTokenizer": return .gptNeoX
    default:
      guard !otherClasses.contains(name) else {
        throw ModelFileError(
          .unsupported,
          "'tokenizer_class' \(name) of tokenizer_config.json: Transformers builds this tokenizer in its own way, which is not supported. If tokenizer.json says all, write \"tokenizer_class\": \"PreTrainedTokenizerFast\""
        )
      }
      return .generic
    }
  }

  /// Classes for BPE that build their own pipeline and are not known here.
  private static let otherClasses: Set<String> = [
    "BlenderbotTokenizer", "CLIPTokenizer", "CodeGenTokenizer", "CodeLlamaTokenizer", "CohereTokenizer",
    "DebertaTokenizer", "EsmcTokenizer", "HerbertTokenizer", "LayoutLMv3Tokenizer", "LukeTokenizer",
    "MarkupLMTokenizer", "NllbTokenizer", "NougatTokenizer", "OpenAIGPTTokenizer", "Qwen3_5Tokenizer",
    "ReformerTokenizer", "SeamlessM4TTokenizer", "Siglip2Tokenizer", "Tipsv2Tokenizer", "WhisperTokenizer",
  ]

  /// The class registered for a model's type; types that are not here have none.
  private static let ofModelType: [String: String] = {
    var classes: [String: String] = [:]
    func register(_ name: String, _ types: String...) { for type in types { classes[type] = name } }
    register(
      "GPT2Tokenizer", "gpt2", "gpt_neo", "gptj", "codegen", "opt", "phi", "starcoder2", "dbrx", "jais2")
    register("RobertaTokenizer", "roberta", "roberta-prelayernorm", "bart", "longformer", "data2vec-text", "xmod")
    register("GPTNeoXTokenizer", "gpt_neox", "mamba", "mamba2", "falcon_mamba", "mpt", "olmo", "olmoe", "rwkv", "xlstm")
    register("Qwen2Tokenizer", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "qwen3_next", "qwen2_vl")
    register(
      "GemmaTokenizer", "gemma", "gemma2", "gemma3", "gemma3_text", "gemma3n", "gemma3n_text", "recurrent_gemma")
    register("CohereTokenizer", "cohere", "cohere2")
    register("CodeLlamaTokenizer", "code_llama")
    register(
      "TokenizersBackend", "mistral", "ministral", "mistral3", "mixtral", "olmo2", "olmo3", "glm", "glm4", "granite",
      "granitemoe", "persimmon", "stablelm", "gpt_bigcode", "phi3", "phimoe", "nemotron", "modernbert", "llava",
      "minicpm3", "internlm2", "jamba", "ernie4_5", "arctic", "minimax_m2", "smolvlm", "flex_olmo")
    return classes
  }()

  /// Model types whose own `tokenizer_class` Transformers does not trust.
  private static let distrustedTypes: Set<String> = [
    "qwen2", "phi3", "phimoe", "nemotron", "modernbert", "llava", "minicpm3", "internlm2", "jamba", "ernie4_5",
    "arctic", "minimax_m2", "smolvlm",
  ]
}
