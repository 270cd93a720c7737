import Foundation
import ModelFiles
import StrictJSON

extension BytePairTrainer.Vocabulary {
  /// The text of a `tokenizer.json` that Hugging Face `tokenizers` and ``Tokenizer`` read.
  public var tokenizerJSON: String { JSONValue.object(tokenizerObject).text(indent: 1) + "\n" }

  /// Writes `tokenizer.json`, `tokenizer_config.json` and `special_tokens_map.json` into a folder.
  public func write(to directory: URL) throws {
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    try ModelFileError.writing(tokenizerJSON, to: directory.appendingPathComponent("tokenizer.json"))
    var configuration = roles
    configuration.append("tokenizer_class", .string("PreTrainedTokenizerFast"))
    configuration.append("add_prefix_space", .bool(false))
    configuration.append("clean_up_tokenization_spaces", .bool(false))
    if let length = options.maximumLength { configuration.append("model_max_length", .integer(length)) }
    try ModelFileError.writing(
      JSONValue.object(configuration).text(indent: 1) + "\n",
      to: directory.appendingPathComponent("tokenizer_config.json"))
    try ModelFileError.writing(
      JSONValue.object(roles).text(indent: 1) + "\n", to: directory.appendingPathComponent("special_tokens_map.json"))
  }

  private var roles: JSONObject {
    let pairs: [(String, String?)] = [
      ("bos_token", options.bos), ("eos_token", options.eos), ("unk_token", options.unknown),
      ("pad_token", options.padding),
    ]
    return JSONObject(pairs.compactMap { name, token in token.map { (name, .string($0)) } })
  }

  private var tokenizerObject: JSONObject {
    let added = options.specialTokens.enumerated().map { id, token in
      JSONValue.object(
        JSONObject([
          ("id", .integer(id)), ("content", .string(token)), ("single_word", .bool(false)), ("lstrip", .bool(false)),
          ("rstrip", .bool(false)), ("normalized", .bool(false)), ("special", .bool(true)),
        ]))
    }
    func byteLevel(addPrefixSpace: Bool) -> JSONValue {
      .object(
        JSONObject([
          ("type", .string("ByteLevel")), ("add_prefix_space", .bool(addPrefixSpace)), ("trim_offsets", .bool(true)),
          ("use_regex", .bool(true)),
        ]))
    }
    let model = JSONObject([
      ("type", .string("BPE")), ("dropout", .null), ("unk_token", .null), ("continuing_subword_prefix", .null),
      ("end_of_word_suffix", .null), ("fuse_unk", .bool(false)), ("byte_fallback", .bool(false)),
      ("ignore_merges", .bool(false)),
      ("vocab", .object(JSONObject(tokens.enumerated().map { ($1, .integer($0)) }))),
      ("merges", .array(merges.map { .array($0.map { .string($0) }) })),
    ])
    return JSONObject([
      ("version", .string("1.0")), ("truncation", .null), ("padding", .null), ("added_tokens", .array(added)),
      ("normalizer", .null), ("pre_tokenizer", byteLevel(addPrefixSpace: false)), ("post_processor", template),
      ("decoder", byteLevel(addPrefixSpace: true)), ("model", .object(model)),
    ])
  }

  /// `bos A` where the options ask for it, else nothing.
  private var template: JSONValue {
    guard options.prependsBOS, let bos = options.bos, let id = options.specialTokens.firstIndex(of: bos) else {
      return .null
    }
    func special(_ type: Int) -> JSONValue {
      .object(JSONObject([("SpecialToken", .object(JSONObject([("id", .string(bos)), ("type_id", .integer(type))])))]))
    }
    func sequence(_ name: String, _ type: Int) -> JSONValue {
      .object(JSONObject([("Sequence", .object(JSONObject([("id", .string(name)), ("type_id", .integer(type))])))]))
    }
    let definition = JSONObject([
      ("id", .string(bos)), ("ids", .array([.integer(id)])), ("tokens", .array([.string(bos)])),
    ])
    return .object(
      JSONObject([
        ("type", .string("TemplateProcessing")), ("single", .array([special(0), sequence("A", 0)])),
        ("pair", .array([special(0), sequence("A", 0), special(1), sequence("B", 1)])),
        ("special_tokens", .object(JSONObject([(bos, .object(definition))]))),
      ]))
  }
}
