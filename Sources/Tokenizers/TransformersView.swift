import Foundation
import ModelFiles
import StrictJSON

/// What `AutoTokenizer.from_pretrained` of Transformers 5 makes of the files of a folder: `tokenizer.json` as its class
/// changes it, and the added tokens in the order in which they are added.
struct TransformersView {
  /// The pipeline that counts.
  private(set) var root: JSONObject
  private(set) var addedTokens: [AddedToken]
  /// The tokens with a role (`bos`, `eos`, `unk`, `pad` …), those of the class included.
  private(set) var roles: [String: String]
  let splitsSpecials: Bool

  private static let roleNames = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"]

  private let kind: TransformersClass
  private let settings: JSONObject

  /// - Parameters:
  ///   - settings: `tokenizer_config.json`.
  ///   - specials: `special_tokens_map.json`; read only where the settings list no `added_tokens_decoder`.
  ///   - addedFile: `added_tokens.json`, of the oldest folders; read where `specials` is.
  ///   - configuration: `config.json`.
  init(
    _ root: JSONObject, settings: JSONObject?, specials: JSONObject?, addedFile: JSONObject?, configuration: JSONObject?
  ) throws {
    self.root = root
    self.settings = settings ?? JSONObject()
    let chosen = try TransformersClass.choose(
      tokenizerClass: try self.settings.string("tokenizer_class") ?? configuration?.string("tokenizer_class"),
      modelType: try configuration?.string("model_type"), hasByteLevel: Self.mentionsByteLevel(.object(root)))
    let isLegacy = try self.settings.bool("legacy") == true && self.settings.bool("add_prefix_space") != false
    let keepsFile = try chosen == .llama && isLegacy && Self.isLegacyLlama(root)
    kind = keepsFile ? .generic : chosen
    splitsSpecials = try self.settings.bool("split_special_tokens") ?? false
    if try self.settings.bool("clean_up_tokenization_spaces") == true,
      try self.settings.bool("clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output") == true
    {
      throw ModelFileError(
        .unsupported,
        "'clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output' of tokenizer_config.json is not supported. Set it to false"
      )
    }
    addedTokens = []
    roles = [:]
    try collectTokens(specials, addedFile)
    try rebuild()
  }

  /// Whether a file puts the marker in front by its normalizer, as those of the first LLaMA models do.
  ///
  /// The class of Transformers 5 drops that normalizer, and with it the marker before text that begins with a space. Where
  /// the settings ask for the legacy behaviour, with which such models were trained, the file counts.
  private static func isLegacyLlama(_ root: JSONObject) throws -> Bool {
    guard root.present("pre_tokenizer") == nil, let normalizer = try root.object("normalizer"),
      let steps = try normalizer.array("normalizers")
    else { return false }
    return try steps.compactMap { try $0.objectValue?.string("type") } == ["Prepend", "Replace"]
  }

  private static func mentionsByteLevel(_ value: JSONValue) -> Bool {
    switch value {
    case .string(let text): text == "ByteLevel"
    case .array(let items): items.contains(where: mentionsByteLevel)
    case .object(let object): object.members.contains { $0.key == "ByteLevel" || mentionsByteLevel($0.value) }
    default: false
    }
  }

  // MARK: - Added tokens

  private mutating func collectTokens(_ specials: JSONObject?, _ addedFile: JSONObject?) throws {
    let own = try TokenizerReader.addedTokens(of: root)
    var listed: [Int: AddedToken] = [:]
    var named: [(role: String, value: JSONValue)] = self.settings.members.map { ($0.key, $0.value) }
    if let decoder = try settings.object("added_tokens_decoder") {
      for (key, value) in decoder.members {
        guard let id = Int(key), let object = value.objectValue else {
          throw ModelFileError(.malformed, "'added_tokens_decoder' of tokenizer_config.json: bad entry '\(key)'")
        }
        listed[id] = try AddedToken(object, id: id, place: "added_tokens_decoder")
      }
    } else {
      // Folders without that list: the older files count, and what tokenizer.json says itself.
      for (key, value) in specials?.members ?? [] {
        named.removeAll { $0.role.utf8.elementsEqual(key.utf8) }
        named.append((key, value))
      }
      for (content, value) in addedFile?.members ?? [] {
        guard let id = value.integerValue else {
          throw ModelFileError(.malformed, "added_tokens.json: the id of '\(content)' must be an integer")
        }
        var token = AddedToken(special: content)
        token.statedID = id
        if !Self.isNamed(content, named) { (token.isSpecial, token.isNormalized) = (false, true) }
        listed[id] = token
      }
      for token in own { listed[token.statedID ?? 0] = token }
    }
    try add(own: own, listed: listed.sorted { $0.key < $1.key }.map(\.value), named: named)
  }

  private static func isNamed(_ content: String, _ named: [(role: String, value: JSONValue)]) -> Bool {
    named.contains { $0.role.hasSuffix("_token") && text(of: $0.value).map { same($0, content) } == true }
  }

  private static func same(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

  /// The text of a token that is named as a string or as an object that describes it.
  private static func text(of value: JSONValue) -> String? {
    value.stringValue ?? value.objectValue?["content"]?.stringValue
  }

  private mutating func add(
    own: [AddedToken], listed: [AddedToken], named: [(role: String, value: JSONValue)]
  ) throws {
    let present = kind == .generic ? own : []
    // All of them once more, those that tokenizer.json has included: their options here count.
    var tokens = listed
    var order: [AddedToken] = []
    for role in Self.roleNames {
      let value = named.last { $0.role == "\(role)_token" }?.value
      guard let token = try self.role(role, value, listed) else { continue }
      roles[role] = token.content
      order.append(token)
    }
    for (key, value) in named where key.hasSuffix("_token") && !Self.roleNames.contains(String(key.dropLast(6))) {
      if let text = value.stringValue { order.append(AddedToken(special: text)) }
    }
    order += try extraTokens(named)
    for index in tokens.indices where roles.values.contains(where: { Self.same($0, tokens[index].content) }) {
      tokens[index].isSpecial = true
    }
    let known = Set((present + tokens).map { ByteKey($0.content.utf8) })
    // Of two roles with one token the later one decides its options, unless it says the same as one before, as in the
    // reference.
    var seen: Set<AddedToken> = []
    for var token in order where !known.contains(ByteKey(token.content.utf8)) && seen.insert(token).inserted {
      token.statedID = nil
      token.isSpecial = true
      tokens.append(token)
    }
    if kind == .qwen2 {
      // This class adds all its special tokens once more, without options.
      for token in order { tokens.append(AddedToken(special: token.content)) }
    }
    addedTokens = present + tokens
  }

  private func role(_ role: String, _ value: JSONValue?, _ listed: [AddedToken]) throws -> AddedToken? {
    var token: AddedToken?
    if let value {
      if value.isNull { return nil }
      if let text = value.stringValue {
        token = AddedToken(special: text)
      } else if let object = value.objectValue {
        token = try AddedToken(object, id: nil, place: "\(role)_token")
      } else {
        throw ModelFileError(.malformed, "'\(role)_token' of the tokenizer's configuration must be a string")
      }
    } else if let standard = kind.standardRoles[role] {
      token = AddedToken(special: standard)
    }
    guard let token, !token.content.isEmpty else { return nil }
    return listed.last { Self.same($0.content, token.content) } ?? token
  }

  private func extraTokens(_ named: [(role: String, value: JSONValue)]) throws -> [AddedToken] {
    let lists = ["extra_special_tokens", "additional_special_tokens"].compactMap { key in
      named.last { $0.role == key }?.value
    }
    guard let list = lists.first(where: { !$0.isNull }) else { return [] }
    let items = list.arrayValue ?? list.objectValue?.members.map(\.value) ?? []
    return try items.map { item in
      if let object = item.objectValue { return try AddedToken(object, id: nil, place: "extra_special_tokens") }
      guard let text = item.stringValue else {
        throw ModelFileError(.malformed, "'extra_special_tokens' of tokenizer_config.json must hold strings")
      }
      return AddedToken(special: text)
    }
  }

  // MARK: - Pipeline

  private mutating func rebuild() throws {
    let addPrefixSpace = try settings.bool("add_prefix_space")
    let parts = TransformersParts(
      addPrefixSpace: addPrefixSpace, isLegacy: try settings.bool("legacy") == true, roles: roles)
    guard let built = parts.build(kind) else { return }
    guard let model = try root.object("model"), try model.string("type") ?? "BPE" == "BPE" else { return }
    var changed = JSONObject()
    for (key, value) in root.members {
      switch key {
      case "model": changed.append(key, .object(built.model(model)))
      case "normalizer": changed.append(key, built.normalizer)
      case "pre_tokenizer": changed.append(key, built.preTokenizer)
      case "decoder": changed.append(key, built.decoder)
      case "post_processor": changed.append(key, try parts.template(kind, model, addedTokens) ?? value)
      default: changed.append(key, value)
      }
    }
    let components = [
      ("normalizer", built.normalizer), ("pre_tokenizer", built.preTokenizer), ("decoder", built.decoder),
    ]
    for (key, value) in components where changed[key] == nil { changed.append(key, value) }
    if changed["post_processor"] == nil, let template = try parts.template(kind, model, addedTokens) {
      changed.append("post_processor", template)
    }
    root = changed
  }
}

extension TransformersClass {
  /// The tokens with a role that a class has where the files name none.
  var standardRoles: [String: String] {
    switch self {
    case .generic: [:]
    case .gpt2: ["unk": "<|endoftext|>", "bos": "<|endoftext|>", "eos": "<|endoftext|>"]
    case .roberta:
      [
        "bos": "<s>", "eos": "</s>", "sep": "</s>", "cls": "<s>", "unk": "<unk>", "pad": "<pad>", "mask": "<mask>",
      ]
    case .llama: ["unk": "<unk>", "bos": "<s>", "eos": "</s>"]
    case .qwen2: ["unk": "<|endoftext|>", "eos": "<|endoftext|>", "pad": "<|endoftext|>"]
    case .gemma: ["unk": "<unk>", "bos": "<bos>", "eos": "<eos>", "pad": "<pad>", "mask": "<mask>"]
    case .gptNeoX:
      ["unk": "<|endoftext|>", "bos": "<|endoftext|>", "eos": "<|endoftext|>", "pad": "<|padding|>"]
    }
  }
}
