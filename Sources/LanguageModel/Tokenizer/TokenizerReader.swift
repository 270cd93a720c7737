import Foundation

/// Builds the pipeline from the parts of a `tokenizer.json`; refuses by name what is not implemented.
struct TokenizerReader {
  private struct AddedToken {
    let id: Int32
    let content: String
    let isSpecial: Bool
    let isNormalized: Bool
    let isSingleWord: Bool
    let stripsLeft: Bool
    let stripsRight: Bool
  }

  /// Token ids beyond this are refused before tables are made.
  private static let maximumID = 1 << 22

  private let root: JSONObject
  private(set) var ignoredSettings: [String] = []
  private(set) var leading: [Int32] = []
  private(set) var trailing: [Int32] = []

  private var ids: [ByteKey: Int32] = [:]
  private var written: [String?] = []
  private var added: [AddedToken] = []
  private var merges: [(left: String, right: String)] = []
  private var modelUnknown: String?
  private var fusesUnknown = false
  private var ignoresMerges = false
  private var hasByteFallback = false
  private var replacements: [(from: [UInt8], to: [UInt8])] = []
  private var prefix = TokenizerPipeline.Prefix.never
  private var prefixBytes: [UInt8] = []
  private var splitting = TokenizerPipeline.Splitting.characters
  private var usesMetaspace = false
  private var splitsAtMarker = false

  init(_ root: JSONObject) { self.root = root }

  mutating func pipeline() throws -> TokenizerPipeline {
    try checkKeys(
      root, "", ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor"],
      also: ["decoder", "model"])
    for key in ["truncation", "padding"] where root.present(key) != nil {
      ignoredSettings.append("'\(key)' of tokenizer.json is not applied")
    }
    try readModel()
    try readAddedTokens()
    try readNormalizer(root.object("normalizer"))
    try readPreTokenizer(root.object("pre_tokenizer"))
    let decoder = try makeDecoder(root.object("decoder"))
    try readPostProcessor(root.object("post_processor"))
    return try assemble(decoder)
  }

  // MARK: - Model

  private mutating func readModel() throws {
    guard let model = try root.object("model") else { throw ModelFileError(.missing, "'model' is missing") }
    // The oldest files have no type; they are BPE if they have merges.
    let type = try model.string("type") ?? (model["merges"] == nil ? "unknown" : "BPE")
    guard type == "BPE" else {
      throw ModelFileError(.unsupported, "'model.type' \(type) is not supported, only BPE")
    }
    try checkKeys(
      model, "model.",
      [
        "type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback",
        "ignore_merges", "vocab", "merges",
      ])
    if let dropout = try model.double("dropout"), dropout != 0 {
      throw ModelFileError(.unsupported, "'model.dropout' \(dropout): random merges are not supported")
    }
    for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = try model.string(key), !text.isEmpty {
        throw ModelFileError(.unsupported, "'model.\(key)' is not supported")
      }
    }
    modelUnknown = try model.string("unk_token")
    fusesUnknown = try model.bool("fuse_unk") ?? false
    hasByteFallback = try model.bool("byte_fallback") ?? false
    ignoresMerges = try model.bool("ignore_merges") ?? false
    guard let vocabulary = try model.object("vocab"), !vocabulary.members.isEmpty else {
      throw ModelFileError(.missing, "'model.vocab' is missing or empty")
    }
    ids.reserveCapacity(vocabulary.members.count)
    for (token, value) in vocabulary.members {
      guard let id = value.integerValue else {
        throw ModelFileError(.malformed, "'model.vocab' entry '\(token)' must be an integer")
      }
      // A vocabulary may have holes for added tokens, not more than it has tokens.
      try enter(token, id, "model.vocab", limit: 2 * vocabulary.members.count + 4096)
    }
    try readMerges(model)
  }

  private mutating func enter(_ token: String, _ id: Int, _ place: String, limit: Int) throws {
    guard (0..<min(limit, Self.maximumID)).contains(id) else {
      throw ModelFileError(.tooLarge, "'\(place)': id \(id) of token '\(token)' is out of range")
    }
    if id >= written.count { written += [String?](repeating: nil, count: id + 1 - written.count) }
    guard written[id] == nil else {
      throw ModelFileError(.mismatch, "'\(place)': the tokens '\(written[id] ?? "")' and '\(token)' share id \(id)")
    }
    written[id] = token
    ids[ByteKey(token.utf8)] = Int32(id)
  }

  private mutating func readMerges(_ model: JSONObject) throws {
    guard let items = try model.array("merges") else { throw ModelFileError(.missing, "'model.merges' is missing") }
    merges.reserveCapacity(items.count)
    for (rank, item) in items.enumerated() {
      switch item {
      case .string(let text):
        let parts = text.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
          throw ModelFileError(.malformed, "'model.merges' \(rank): expected two tokens, found '\(text)'")
        }
        merges.append((String(parts[0]), String(parts[1])))
      case .array(let pair):
        guard pair.count == 2, let left = pair[0].stringValue, let right = pair[1].stringValue else {
          throw ModelFileError(.malformed, "'model.merges' \(rank): expected an array of two strings")
        }
        merges.append((left, right))
      default: throw ModelFileError(.malformed, "'model.merges' \(rank): expected a string or an array of two")
      }
    }
  }

  // MARK: - Added tokens

  private mutating func readAddedTokens() throws {
    let items = try root.array("added_tokens") ?? []
    for item in items {
      guard let object = item.objectValue, let id = try object.integer("id"), let content = try object.string("content")
      else { throw ModelFileError(.malformed, "'added_tokens' must hold objects with 'id' and 'content'") }
      try checkKeys(
        object, "added_tokens.", ["id", "content", "single_word", "lstrip", "rstrip", "normalized", "special"])
      guard !content.isEmpty else { throw ModelFileError(.malformed, "'added_tokens': id \(id) has no content") }
      if let known = ids[ByteKey(content.utf8)] {
        guard Int(known) == id else {
          throw ModelFileError(
            .mismatch, "'added_tokens': '\(content)' has id \(id), the vocabulary says \(known)")
        }
      } else {
        try enter(content, id, "added_tokens", limit: 2 * (written.count + items.count) + 4096)
      }
      let special = try object.bool("special") ?? false
      added.append(
        AddedToken(
          id: Int32(id), content: content, isSpecial: special,
          isNormalized: try object.bool("normalized") ?? !special,
          isSingleWord: try object.bool("single_word") ?? false, stripsLeft: try object.bool("lstrip") ?? false,
          stripsRight: try object.bool("rstrip") ?? false))
    }
  }

  // MARK: - Normalizer and pre-tokenizer

  private mutating func readNormalizer(_ object: JSONObject?) throws {
    guard let object else { return }
    let type = try object.string("type") ?? "?"
    switch type {
    case "Sequence":
      try checkKeys(object, "normalizer.", ["type", "normalizers"])
      for item in try object.array("normalizers") ?? [] {
        guard let part = item.objectValue else {
          throw ModelFileError(.malformed, "'normalizer.normalizers' must hold objects")
        }
        guard try part.string("type") != "Sequence" else {
          throw ModelFileError(.unsupported, "nested 'normalizer' sequences are not supported")
        }
        try readNormalizer(part)
      }
    case "Prepend":
      try checkKeys(object, "normalizer.", ["type", "prepend"])
      guard let text = try object.string("prepend"), prefix == .never, replacements.isEmpty else {
        throw ModelFileError(.unsupported, "'normalizer': Prepend must come first and once")
      }
      (prefix, prefixBytes) = (.always, Array(text.utf8))
    case "Replace":
      try checkKeys(object, "normalizer.", ["type", "pattern", "content"])
      replacements.append(try replacement(object, "normalizer"))
    default:
      throw ModelFileError(.unsupported, "'normalizer' \(type) is not supported; supported are Prepend and Replace")
    }
  }

  private func replacement(_ object: JSONObject, _ place: String) throws -> (from: [UInt8], to: [UInt8]) {
    guard let pattern = try object.object("pattern"), let from = try pattern.string("String"), !from.isEmpty,
      pattern.members.count == 1, let to = try object.string("content")
    else {
      throw ModelFileError(
        .unsupported, "'\(place)': Replace is supported for a plain, non-empty 'String' pattern only")
    }
    return (Array(from.utf8), Array(to.utf8))
  }

  private mutating func readPreTokenizer(_ object: JSONObject?) throws {
    guard let object else { return }
    let type = try object.string("type") ?? "?"
    switch type {
    case "ByteLevel":
      try checkKeys(object, "pre_tokenizer.", ["type", "add_prefix_space", "trim_offsets", "use_regex"])
      splitting = .byteLevel(
        addPrefixSpace: try object.bool("add_prefix_space") ?? true, usesPattern: try object.bool("use_regex") ?? true)
    case "Metaspace":
      try checkKeys(
        object, "pre_tokenizer.", ["type", "replacement", "prepend_scheme", "split", "add_prefix_space", "str_rep"])
      try readMetaspace(object)
    case "Sequence":
      try checkKeys(object, "pre_tokenizer.", ["type", "pretokenizers"])
      let items = try object.array("pretokenizers") ?? []
      guard items.count == 1, let only = items[0].objectValue else {
        throw ModelFileError(.unsupported, "'pre_tokenizer': a Sequence of \(items.count) is not supported")
      }
      guard try only.string("type") != "Sequence" else {
        throw ModelFileError(.unsupported, "nested 'pre_tokenizer' sequences are not supported")
      }
      try readPreTokenizer(only)
    default:
      throw ModelFileError(
        .unsupported, "'pre_tokenizer' \(type) is not supported; supported are ByteLevel and Metaspace")
    }
  }

  private mutating func readMetaspace(_ object: JSONObject) throws {
    guard prefix == .never else {
      throw ModelFileError(.unsupported, "'pre_tokenizer' Metaspace after a Prepend normalizer is not supported")
    }
    let marker = try object.string("replacement") ?? "▁"
    let scheme =
      try object.string("prepend_scheme") ?? (try object.bool("add_prefix_space") ?? true ? "always" : "never")
    switch scheme {
    case "always": prefix = .unlessPresent
    case "first": prefix = .firstUnlessPresent
    case "never": prefix = .never
    default: throw ModelFileError(.unsupported, "'pre_tokenizer.prepend_scheme' \(scheme) is not known")
    }
    guard marker.unicodeScalars.count == 1 else {
      throw ModelFileError(.malformed, "'pre_tokenizer.replacement' must be one character")
    }
    prefixBytes = Array(marker.utf8)
    usesMetaspace = true
    splitsAtMarker = try object.bool("split") ?? true
    replacements.append(([0x20], prefixBytes))
  }

  // MARK: - Decoder

  /// The decoder's parts in the one order that is supported: Replace*, ByteFallback?, Fuse?, Strip?.
  private func makeDecoder(_ object: JSONObject?) throws -> TokenDecoder {
    guard let object else { throw ModelFileError(.unsupported, "a tokenizer without 'decoder' is not supported") }
    let type = try object.string("type") ?? "?"
    if type == "ByteLevel" { return byteLevelDecoder() }
    var parts: [JSONObject] = [object]
    if type == "Sequence" {
      parts = try (object.array("decoders") ?? []).map {
        guard let part = $0.objectValue else {
          throw ModelFileError(.malformed, "'decoder.decoders' must hold objects")
        }
        return part
      }
    }
    if parts.count == 1, try parts[0].string("type") == "ByteLevel" { return byteLevelDecoder() }
    return try characterDecoder(parts)
  }

  private func byteLevelDecoder() -> TokenDecoder {
    let special = Set(added.filter(\.isSpecial).map(\.id))
    let tokens = written.enumerated().map { id, text in
      text.map {
        TokenDecoder.Token(
          written: $0, bytes: ByteAlphabet.decode($0) ?? Array($0.utf8), isSpecial: special.contains(Int32(id)))
      }
    }
    return TokenDecoder(tokens: tokens, hasByteFallback: false, stripStart: 0, stripScalar: " ")
  }

  private func characterDecoder(_ parts: [JSONObject]) throws -> TokenDecoder {
    var changes: [(from: [UInt8], to: [UInt8])] = []
    var byteFallback = false
    var strip = 0
    var stripScalar: Unicode.Scalar = " "
    var stage = 0
    func advance(to next: Int, _ type: String) throws {
      guard next > stage || (next == stage && next == 1) else {
        throw ModelFileError(.unsupported, "'decoder': \(type) at this place of the sequence is not supported")
      }
      stage = next
    }
    for part in parts {
      let type = try part.string("type") ?? "?"
      switch type {
      case "Replace":
        try advance(to: 1, type)
        changes.append(try replacement(part, "decoder"))
      case "ByteFallback":
        try advance(to: 2, type)
        byteFallback = true
      case "Fuse": try advance(to: 3, type)
      case "Strip":
        // Strip acts on each piece; only after Fuse is there one piece, the whole text.
        guard stage == 3 else { throw ModelFileError(.unsupported, "'decoder': Strip is supported after Fuse only") }
        try advance(to: 4, type)
        guard let text = try part.string("content"), text.unicodeScalars.count == 1,
          let scalar = text.unicodeScalars.first,
          try part.integer("stop") ?? 0 == 0, let start = try part.integer("start"), (0...64).contains(start)
        else { throw ModelFileError(.unsupported, "'decoder': Strip is supported for one character at the start only") }
        (strip, stripScalar) = (start, scalar)
      case "Metaspace" where parts.count == 1:
        let marker = try part.string("replacement") ?? "▁"
        let scheme =
          try part.string("prepend_scheme") ?? (try part.bool("add_prefix_space") ?? true ? "always" : "never")
        guard marker.unicodeScalars.count == 1, scheme == "never" || scheme == "always" || scheme == "first" else {
          throw ModelFileError(.unsupported, "'decoder': this Metaspace is not supported")
        }
        changes.append((Array(marker.utf8), [0x20]))
        strip = scheme == "never" ? 0 : 1
      default:
        throw ModelFileError(
          .unsupported,
          "'decoder' \(type) is not supported here; supported are ByteLevel, Metaspace, or Replace, ByteFallback, Fuse, Strip in sequence"
        )
      }
    }
    let special = Set(added.filter(\.isSpecial).map(\.id))
    let tokens = written.enumerated().map { id, text in
      text.map { text in
        var bytes = Array(text.utf8)
        for (from, to) in changes { bytes = TokenizerPipeline.replace(bytes, from, to) }
        return TokenDecoder.Token(
          written: text, bytes: bytes, fallbackByte: byteFallback ? Self.fallbackByte(bytes) : nil,
          isSpecial: special.contains(Int32(id)))
      }
    }
    return TokenDecoder(
      tokens: tokens, hasByteFallback: byteFallback || strip > 0, stripStart: strip, stripScalar: stripScalar)
  }

  /// The byte of a token written `<0x41>`.
  private static func fallbackByte(_ bytes: [UInt8]) -> UInt8? {
    guard bytes.count == 6, bytes.starts(with: [0x3C, 0x30, 0x78]), bytes[5] == 0x3E,
      let high = hexadecimalDigit(bytes[3]), let low = hexadecimalDigit(bytes[4])
    else { return nil }
    return high << 4 | low
  }

  // MARK: - Post-processor

  private mutating func readPostProcessor(_ object: JSONObject?) throws {
    guard let object else { return }
    let type = try object.string("type") ?? "?"
    switch type {
    case "ByteLevel":
      // Only trims offsets, which are not given out here.
      try checkKeys(object, "post_processor.", ["type", "add_prefix_space", "trim_offsets", "use_regex"])
    case "RobertaProcessing", "BertProcessing":
      try checkKeys(object, "post_processor.", ["type", "sep", "cls", "trim_offsets", "add_prefix_space"])
      leading.append(try namedID(object, "cls"))
      trailing.insert(try namedID(object, "sep"), at: 0)
    case "TemplateProcessing":
      try checkKeys(object, "post_processor.", ["type", "single", "pair", "special_tokens"])
      try readTemplate(object)
    case "Sequence":
      try checkKeys(object, "post_processor.", ["type", "processors"])
      for item in try object.array("processors") ?? [] {
        guard let part = item.objectValue, try part.string("type") != "Sequence" else {
          throw ModelFileError(.unsupported, "'post_processor.processors' must hold processors that are no sequences")
        }
        guard leading.isEmpty, trailing.isEmpty else {
          throw ModelFileError(.unsupported, "'post_processor': steps after a template are not supported")
        }
        try readPostProcessor(part)
      }
    default: throw ModelFileError(.unsupported, "'post_processor' \(type) is not supported")
    }
  }

  /// `["<s>", 0]` under `key`, checked against the vocabulary.
  private func namedID(_ object: JSONObject, _ key: String) throws -> Int32 {
    guard let pair = try object.array(key), pair.count == 2, let token = pair[0].stringValue,
      let id = pair[1].integerValue, ids[ByteKey(token.utf8)].map(Int.init) == id
    else {
      throw ModelFileError(.mismatch, "'post_processor.\(key)' must be a token of the vocabulary with its id")
    }
    return Int32(id)
  }

  private mutating func readTemplate(_ object: JSONObject) throws {
    let specials = try object.object("special_tokens") ?? JSONObject()
    var seenText = false
    for item in try object.array("single") ?? [] {
      guard let entry = item.objectValue, entry.members.count == 1, let (kind, value) = entry.members.first,
        let id = try value.objectValue?.string("id")
      else { throw ModelFileError(.malformed, "'post_processor.single' holds an entry that is not understood") }
      switch kind {
      case "Sequence":
        guard id == "A", !seenText else {
          throw ModelFileError(.malformed, "'post_processor.single' must contain the sequence A exactly once")
        }
        seenText = true
      case "SpecialToken":
        guard let list = try specials.object(id)?.array("ids") else {
          throw ModelFileError(.missing, "'post_processor.special_tokens' does not define '\(id)'")
        }
        let values = try list.map { item -> Int32 in
          guard let id = item.integerValue, written.indices.contains(id), written[id] != nil else {
            throw ModelFileError(.mismatch, "'post_processor.special_tokens' has ids outside the vocabulary")
          }
          return Int32(id)
        }
        if seenText { trailing += values } else { leading += values }
      default: throw ModelFileError(.unsupported, "'post_processor.single': \(kind) is not supported")
      }
    }
    guard seenText else { throw ModelFileError(.malformed, "'post_processor.single' lacks the sequence A") }
  }

  // MARK: - Assembly

  private func assemble(_ decoder: TokenDecoder) throws -> TokenizerPipeline {
    var unknownID: Int32?
    if let modelUnknown {
      guard let id = ids[ByteKey(modelUnknown.utf8)] else {
        throw ModelFileError(.missing, "'model.unk_token' \(modelUnknown) is not in the vocabulary")
      }
      unknownID = id
    }
    let byteIDs = try makeByteIDs(unknownID)
    var characterIDs: [UInt32: Int32] = [:]
    for (key, id) in ids where key.bytes.count <= 4 {
      key.bytes.withUnsafeBufferPointer {
        if let lead = $0.first, utf8Length(lead) == $0.count {
          characterIDs[decodeScalar($0, 0, $0.count).value] = id
        }
      }
    }
    let marker = usesMetaspace ? prefixBytes : replacements.last?.to ?? []
    let mergeList = try merges.map { merge -> BytePairModel.Merge in
      guard let left = ids[ByteKey(merge.left.utf8)], let right = ids[ByteKey(merge.right.utf8)] else {
        throw ModelFileError(
          .missing, "'model.merges': '\(merge.left) \(merge.right)' names a token outside the vocabulary")
      }
      guard let result = ids[ByteKey(Array(merge.left.utf8) + Array(merge.right.utf8))] else {
        throw ModelFileError(.missing, "'model.merges': '\(merge.left)\(merge.right)' is not in the vocabulary")
      }
      return BytePairModel.Merge(left: left, right: right, result: result)
    }
    var pipeline = TokenizerPipeline(
      ids: ids, decoder: decoder, model: BytePairModel(mergeList), splitting: splitting, replacements: replacements,
      prefix: prefix, prefixBytes: prefixBytes, rawTokens: AddedTokenMatcher([]),
      normalizedTokens: AddedTokenMatcher([]), characterIDs: CharacterIDs(characterIDs), byteIDs: byteIDs,
      hasByteFallback: hasByteFallback, unknownID: unknownID, fusesUnknown: fusesUnknown, ignoresMerges: ignoresMerges,
      wordStart: try cutMarker(marker, characterIDs))
    pipeline.rawTokens = AddedTokenMatcher(added.filter { !$0.isNormalized }.map { Self.pattern($0, $0.content.utf8) })
    pipeline.normalizedTokens = AddedTokenMatcher(
      added.filter(\.isNormalized).map { token in
        // The reference puts such tokens through the normalizer before it looks for them; Metaspace is none.
        if usesMetaspace { return Self.pattern(token, token.content.utf8) }
        return Array(token.content.utf8).withUnsafeBufferPointer {
          Self.pattern(token, pipeline.normalize($0, isFirst: true))
        }
      })
    return pipeline
  }

  private static func pattern(_ token: AddedToken, _ bytes: some Sequence<UInt8>) -> AddedTokenMatcher.Pattern {
    AddedTokenMatcher.Pattern(
      id: token.id, bytes: Array(bytes), stripsLeft: token.stripsLeft, stripsRight: token.stripsRight,
      isSingleWord: token.isSingleWord)
  }

  private func makeByteIDs(_ unknownID: Int32?) throws -> [Int32] {
    var byteIDs = [Int32](repeating: -1, count: 256)
    for byte in 0..<256 {
      let name: String
      if splitting == .characters {
        let digits = Array("0123456789ABCDEF")
        name = "<0x\(digits[byte >> 4])\(digits[byte & 15])>"
      } else {
        name = ByteAlphabet.encode([UInt8(byte)])
      }
      if let id = ids[ByteKey(name.utf8)] { byteIDs[byte] = id }
    }
    // The reference drops text it has no token for; nothing may vanish here.
    let usesBytes = splitting != .characters || hasByteFallback
    let missing = usesBytes ? byteIDs.firstIndex(of: -1) : 0
    if let missing, unknownID == nil {
      let what = usesBytes ? "no token for byte \(missing)" : "no byte fallback"
      throw ModelFileError(.missing, "the vocabulary has \(what) and no 'unk_token': some text could not be encoded")
    }
    return byteIDs
  }

  /// The marker at which text may be cut into words without changing any id: if every merge whose right side begins with
  /// it has only markers on its left, no merge ever crosses a word start, and words can be encoded (and remembered)
  /// one by one.
  private func cutMarker(_ marker: [UInt8], _ characterIDs: [UInt32: Int32]) throws -> [UInt8] {
    guard splitting == .characters, !marker.isEmpty else { return [] }
    let scalar = marker.withUnsafeBufferPointer { decodeScalar($0, 0, min($0.count, utf8Length(marker[0]))) }
    let isOneScalar = utf8Length(marker[0]) == marker.count
    let isFree =
      isOneScalar && characterIDs[scalar.value] != nil
      && merges.allSatisfy { merge in
        guard merge.right.unicodeScalars.first == scalar else { return true }
        return merge.left.unicodeScalars.allSatisfy { $0 == scalar }
      }
    if usesMetaspace, splitsAtMarker, !isFree {
      throw ModelFileError(.unsupported, "'pre_tokenizer' Metaspace that splits is not supported with these merges")
    }
    if ignoresMerges, !(usesMetaspace && splitsAtMarker) { return [] }
    return isFree ? marker : []
  }

  private func checkKeys(_ object: JSONObject, _ place: String, _ known: [String], also: [String] = []) throws {
    for (key, _) in object.members where !known.contains(key) && !also.contains(key) {
      throw ModelFileError(.unsupported, "the key '\(place)\(key)' is not known")
    }
  }
}
