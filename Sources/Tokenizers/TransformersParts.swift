import StrictJSON

/// The parts that the classes of Transformers 5 build themselves, in the form of a `tokenizer.json`.
struct TransformersParts {
  /// `add_prefix_space` of tokenizer_config.json.
  let addPrefixSpace: Bool?
  let isLegacy: Bool
  let roles: [String: String]

  struct Built {
    var unknown: String?
    var fusesUnknown = false
    var hasByteFallback = false
    var normalizer = JSONValue.null
    var preTokenizer: JSONValue
    var decoder: JSONValue

    /// Vocabulary and merges of the file with the options of the class.
    func model(_ model: JSONObject) -> JSONObject {
      JSONObject([
        ("type", .string("BPE")), ("unk_token", unknown.map { .string($0) } ?? .null),
        ("fuse_unk", .bool(fusesUnknown)), ("byte_fallback", .bool(hasByteFallback)),
        ("vocab", model["vocab"] ?? .null), ("merges", model["merges"] ?? .null),
      ])
    }
  }

  /// What Qwen's class cuts text with.
  private static let qwenPattern =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#

  func build(_ kind: TransformersClass) -> Built? {
    let space = addPrefixSpace ?? false
    switch kind {
    case .generic: return nil
    case .gpt2, .roberta:
      return Built(preTokenizer: byteLevel(space, usesPattern: true), decoder: byteLevel(true, usesPattern: true))
    case .gptNeoX:
      return Built(
        normalizer: part("NFC"), preTokenizer: byteLevel(space, usesPattern: true),
        decoder: byteLevel(true, usesPattern: true))
    case .qwen2:
      let split = part(
        "Split", ("pattern", .object(JSONObject([("Regex", .string(Self.qwenPattern))]))),
        ("behavior", .string("Isolated")), ("invert", .bool(false)))
      return Built(
        normalizer: part("NFC"),
        preTokenizer: sequence("pretokenizers", [split, byteLevel(space, usesPattern: false)]),
        decoder: byteLevel(true, usesPattern: true))
    case .llama: return llama
    case .gemma:
      let split = part(
        "Split", ("pattern", .object(JSONObject([("String", .string(" "))]))),
        ("behavior", .string("MergedWithPrevious")), ("invert", .bool(false)))
      return Built(
        unknown: roles["unk"] ?? "<unk>", fusesUnknown: true, hasByteFallback: true, normalizer: replace(" ", "▁"),
        preTokenizer: split,
        decoder: sequence("decoders", [replace("▁", " "), part("ByteFallback"), part("Fuse")]))
    }
  }

  private var llama: Built {
    let prepends = addPrefixSpace ?? true
    var decoders = [replace("▁", " "), part("ByteFallback"), part("Fuse")]
    if prepends {
      decoders.append(part("Strip", ("content", .string(" ")), ("start", .integer(1)), ("stop", .integer(0))))
    }
    let scheme = !prepends ? "never" : isLegacy ? "always" : "first"
    return Built(
      fusesUnknown: true, hasByteFallback: true,
      preTokenizer: part(
        "Metaspace", ("replacement", .string("▁")), ("prepend_scheme", .string(scheme)), ("split", .bool(false))),
      decoder: sequence("decoders", decoders))
  }

  /// The template of a class that does not take the file's; nil where it does.
  func template(_ kind: TransformersClass, _ model: JSONObject, _ added: [AddedToken]) throws -> JSONValue? {
    switch kind {
    case .generic, .gpt2, .llama, .qwen2, .gemma: return nil
    // Its class sets an empty template.
    case .gptNeoX: return .null
    case .roberta:
      func pair(_ role: String, _ standard: String) throws -> JSONValue {
        let token = roles[role] ?? standard
        let vocabulary = try model.object("vocab")
        var list = AddedVocabulary(
          modelIDs: Dictionary(
            (vocabulary?.members ?? []).map { (ByteKey($0.key.utf8), Int32(clamping: $0.value.integerValue ?? -1)) },
            uniquingKeysWith: { $1 }))
        for item in added { _ = try list.add(item) }
        return .array([.string(token), .integer(Int(try list.add(AddedToken(special: token))))])
      }
      return part("RobertaProcessing", ("sep", try pair("sep", "</s>")), ("cls", try pair("cls", "<s>")))
    }
  }

  // MARK: - Small pieces of JSON

  private func part(_ type: String, _ members: (String, JSONValue)...) -> JSONValue {
    .object(JSONObject([("type", .string(type))] + members))
  }

  private func sequence(_ list: String, _ parts: [JSONValue]) -> JSONValue { part("Sequence", (list, .array(parts))) }

  private func replace(_ from: String, _ to: String) -> JSONValue {
    part(
      "Replace", ("pattern", .object(JSONObject([("String", .string(from))]))), ("content", .string(to)))
  }

  private func byteLevel(_ addPrefixSpace: Bool, usesPattern: Bool) -> JSONValue {
    part(
      "ByteLevel", ("add_prefix_space", .bool(addPrefixSpace)), ("trim_offsets", .bool(true)),
      ("use_regex", .bool(usesPattern)))
  }
}
