import Foundation
import ModelFiles
import StrictJSON

/// Builds the pipeline from the parts of a `tokenizer.json`; refuses by name what is not implemented.
struct TokenizerReader {
  /// Token ids beyond this are refused before tables are made.
  static let maximumID = 1 << 22
  /// Sequences in sequences beyond this are refused.
  static let maximumNesting = 8
  /// Components of a normalizer, pre-tokenizer, decoder or post-processor beyond this are refused.
  static let maximumComponents = 64

  let root: JSONObject
  /// The added tokens; nil where those of the file count.
  let listedTokens: [AddedToken]?
  /// Whether special tokens in text are split like any text.
  let splitsSpecials: Bool
  var ignoredSettings: [String] = []
  var leading: [Int32] = []
  var trailing: [Int32] = []
  /// Ids that only the files beside `tokenizer.json` ask for.
  private(set) var inventedIDs: Set<Int32> = []

  var modelIDs: [ByteKey: Int32] = [:]
  var ids: [ByteKey: Int32] = [:]
  var written: [String?] = []
  var added = AddedVocabulary(modelIDs: [:])
  var merges: [(left: String, right: String)] = []
  var unknown: String?
  var fusesUnknown = false
  var ignoresMerges = false
  var hasByteFallback = false
  var affixes: TokenizerPipeline.Affixes?
  var normalizer = TextNormalizer()
  var preSteps: [PreTokenizer.Step] = []
  var hasTemplate = false

  init(_ root: JSONObject, listedTokens: [AddedToken]? = nil, splitsSpecials: Bool = false) {
    self.root = root
    self.listedTokens = listedTokens
    self.splitsSpecials = splitsSpecials
  }

  mutating func pipeline() throws -> TokenizerPipeline {
    try checkKeys(
      root, "", ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor"],
      also: ["decoder", "model"])
    if let version = try root.string("version"), version != "1.0" {
      throw ModelFileError(.unsupported, "'version' \(version) of tokenizer.json is not known, only 1.0")
    }
    for key in ["truncation", "padding"] where root.present(key) != nil {
      ignoredSettings.append("'\(key)' of tokenizer.json is not applied")
    }
    try readModel()
    try readAddedTokens()
    try readNormalizer()
    try readPreTokenizer(root.object("pre_tokenizer"))
    try readPostProcessor(root.object("post_processor"))
    return try assemble()
  }

  // MARK: - Added tokens

  private mutating func readAddedTokens() throws {
    added = AddedVocabulary(modelIDs: modelIDs)
    ids = modelIDs
    let own = try Self.addedTokens(of: root)
    let list = listedTokens ?? own
    let known = Set(own.map { ByteKey($0.content.utf8) })
    for token in list where !token.content.isEmpty {
      let id = try added.add(token)
      if ids[ByteKey(token.content.utf8)] == nil {
        try enter(token.content, Int(id), "added_tokens", limit: 2 * (written.count + list.count) + 4096)
        if !known.contains(ByteKey(token.content.utf8)) { inventedIDs.insert(id) }
      }
      ids[ByteKey(token.content.utf8)] = id
    }
  }

  /// The added tokens as a `tokenizer.json` lists them.
  static func addedTokens(of root: JSONObject) throws -> [AddedToken] {
    try (root.array("added_tokens") ?? []).map { item in
      guard let object = item.objectValue, let id = try object.integer("id"), try object.string("content") != nil
      else { throw ModelFileError(.malformed, "'added_tokens' must hold objects with 'id' and 'content'") }
      for (key, _) in object.members
      where !["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"].contains(key) {
        throw ModelFileError(.unsupported, "the key 'added_tokens.\(key)' is not known")
      }
      let token = try AddedToken(object, id: id, place: "added_tokens")
      guard !token.content.isEmpty else { throw ModelFileError(.malformed, "'added_tokens': id \(id) has no content") }
      return token
    }
  }

  mutating func enter(_ token: String, _ id: Int, _ place: String, limit: Int) throws {
    guard (0..<min(limit, Self.maximumID)).contains(id) else {
      throw ModelFileError(.tooLarge, "'\(place)': id \(id) of token '\(token)' is out of range")
    }
    if id >= written.count { written += [String?](repeating: nil, count: id + 1 - written.count) }
    guard written[id] == nil else {
      throw ModelFileError(.mismatch, "'\(place)': the tokens '\(written[id] ?? "")' and '\(token)' share id \(id)")
    }
    written[id] = token
  }

  // MARK: - Checks

  func checkKeys(_ object: JSONObject, _ place: String, _ known: [String], also: [String] = []) throws {
    for (key, _) in object.members where !known.contains(key) && !also.contains(key) {
      throw ModelFileError(.unsupported, "the key '\(place)\(key)' is not known")
    }
  }

  /// The type of a component; throws where it has none.
  func type(_ object: JSONObject, _ place: String) throws -> String {
    guard let type = try object.string("type") else { throw ModelFileError(.malformed, "'\(place)' has no 'type'") }
    return type
  }

  /// The parts of a sequence, those of sequences in it included.
  func parts(_ object: JSONObject, _ place: String, _ list: String) throws -> [JSONObject] {
    let all = try flattened(object, place, list, level: 0)
    guard all.count <= Self.maximumComponents else {
      throw ModelFileError(.tooLarge, "'\(place)' has \(all.count) components, the limit is \(Self.maximumComponents)")
    }
    return all
  }

  private func flattened(_ object: JSONObject, _ place: String, _ list: String, level: Int) throws -> [JSONObject] {
    guard try type(object, place) == "Sequence" else { return [object] }
    guard level < Self.maximumNesting else {
      throw ModelFileError(.unsupported, "'\(place)': sequences nested deeper than \(Self.maximumNesting)")
    }
    try checkKeys(object, "\(place).", ["type", list])
    guard let items = try object.array(list) else {
      throw ModelFileError(.malformed, "'\(place).\(list)' is missing")
    }
    return try items.flatMap { item in
      guard let part = item.objectValue else {
        throw ModelFileError(.malformed, "'\(place).\(list)' must hold objects")
      }
      return try flattened(part, place, list, level: level + 1)
    }
  }

  /// One character under `key`.
  func character(_ object: JSONObject, _ key: String, _ place: String, default standard: Unicode.Scalar? = nil) throws
    -> Unicode.Scalar
  {
    let text = try object.string(key)
    if text == nil, let standard { return standard }
    guard let text, text.unicodeScalars.count == 1, let scalar = text.unicodeScalars.first else {
      throw ModelFileError(.malformed, "'\(place).\(key)' must be one character")
    }
    return scalar
  }

  enum Wanted {
    case literal([UInt8])
    case pattern(TextPattern)
  }

  /// What a `pattern` asks to be found: `{"String": …}` or `{"Regex": …}`.
  func wanted(_ object: JSONObject, _ place: String) throws -> Wanted {
    guard let pattern = try object.object("pattern"), pattern.members.count == 1 else {
      throw ModelFileError(.malformed, "'\(place).pattern' must be {\"String\": …} or {\"Regex\": …}")
    }
    if let text = try pattern.string("String") {
      guard !text.isEmpty else {
        throw ModelFileError(.unsupported, "'\(place).pattern': an empty string is not supported")
      }
      return .literal(Array(text.utf8))
    }
    guard let text = try pattern.string("Regex") else {
      throw ModelFileError(.malformed, "'\(place).pattern' must be {\"String\": …} or {\"Regex\": …}")
    }
    do {
      let compiled = try TextPattern(text)
      guard !compiled.canBeEmpty else {
        throw ModelFileError(.unsupported, "the pattern '\(text.prefix(200))' is not supported: it can match nothing")
      }
      return .pattern(compiled)
    } catch let error as ModelFileError {
      throw ModelFileError(error.code, "'\(place)': \(error.message)", file: error.file)
    }
  }
}
