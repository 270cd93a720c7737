import ModelFiles

extension TokenizerReader {
  func assemble() throws -> TokenizerPipeline {
    let usesAlphabet = usesAlphabet
    let byteIDs = idsOfBytes { ByteAlphabet.encode([$0]) }
    let fallbackIDs = idsOfBytes { byte in
      let digits = Array("0123456789ABCDEF")
      return "<0x\(digits[Int(byte >> 4)])\(digits[Int(byte & 15)])>"
    }
    let unknownID = unknown.flatMap { modelIDs[ByteKey($0.utf8)] }
    try checkThatNothingVanishes(
      bytes: usesAlphabet ? byteIDs : hasByteFallback ? fallbackIDs : nil, usesAlphabet: usesAlphabet, unknownID)
    let characterIDs = makeCharacterIDs()
    let table = try mergeTable()
    let (cutting, words) = cutAndWords(characterIDs)
    try checkOrigins(cutting)
    return TokenizerPipeline(
      ids: ids, modelIDs: modelIDs, decoder: try makeDecoder(), model: BytePairModel(table), normalizer: normalizer,
      quickNormalizer: quickNormalizer, cutting: cutting, words: words, tracksOrigins: tracksOrigins(cutting),
      rawTokens: AddedTokenMatcher(try patterns(normalized: false)),
      normalizedTokens: AddedTokenMatcher(try patterns(normalized: true)), characterIDs: CharacterIDs(characterIDs),
      byteIDs: byteIDs, hasEveryByte: !byteIDs.contains(-1), fallbackIDs: fallbackIDs,
      hasByteFallback: hasByteFallback, unknownID: unknownID, fusesUnknown: fusesUnknown, ignoresMerges: ignoresMerges,
      affixes: affixes, wordStart: wordStart(cutting, words, characterIDs))
  }

  /// Whether the model sees bytes written in the byte-level alphabet.
  private var usesAlphabet: Bool {
    let isInNormalizer = normalizer.steps.contains { if case .byteLevel = $0 { true } else { false } }
    return isInNormalizer || preSteps.contains { if case .byteLevel = $0 { true } else { false } }
  }

  private func idsOfBytes(_ name: (UInt8) -> String) -> [Int32] {
    (0..<256).map { modelIDs[ByteKey(name(UInt8($0)).utf8)] ?? -1 }
  }

  /// The reference drops text it has no token for; nothing may vanish here.
  private func checkThatNothingVanishes(bytes: [Int32]?, usesAlphabet: Bool, _ unknownID: Int32?) throws {
    guard unknownID == nil else { return }
    if usesAlphabet {
      let startsWithMarker = preSteps.contains { step in
        if case .metaspace(let marker, _, _) = step { return modelIDs[ByteKey(String(marker).utf8)] == nil }
        return false
      }
      guard startsWithMarker || affixes != nil else {
        guard let missing = bytes?.firstIndex(of: -1) else { return }
        throw vanishing("no token for byte \(missing)")
      }
      throw vanishing("not every character with its prefix or marker")
    }
    guard affixes == nil else { throw vanishing("a prefix or suffix for characters") }
    guard let bytes else { throw vanishing("no byte fallback") }
    if let missing = bytes.firstIndex(of: -1) { throw vanishing("no token for byte \(missing)") }
  }

  private func vanishing(_ what: String) -> ModelFileError {
    let unknown = unknown.map { "its 'unk_token' \($0) is none of its tokens" } ?? "no 'unk_token'"
    return ModelFileError(.missing, "the vocabulary has \(what) and \(unknown): some text could not be encoded")
  }

  private func makeCharacterIDs() -> [UInt32: Int32] {
    var characterIDs: [UInt32: Int32] = [:]
    for (key, id) in modelIDs where key.bytes.count <= 4 {
      key.bytes.withUnsafeBufferPointer {
        if let lead = $0.first, utf8Length(lead) == $0.count {
          characterIDs[decodeScalar($0, 0, $0.count).value] = id
        }
      }
    }
    return characterIDs
  }

  private func patterns(normalized: Bool) throws -> [AddedTokenMatcher.Pattern] {
    var seen: [ByteKey: String] = [:]
    return try added.tokens.sorted { $0.key < $1.key }.filter { $0.value.isNormalized == normalized }.map { id, token in
      let bytes = pattern(of: token)
      guard !bytes.isEmpty else {
        throw ModelFileError(.unsupported, "'added_tokens': the normalizer leaves nothing of '\(token.content)'")
      }
      if let other = seen.updateValue(token.content, forKey: ByteKey(bytes)) {
        throw ModelFileError(
          .unsupported, "'added_tokens': the normalizer makes '\(other)' and '\(token.content)' the same")
      }
      return AddedTokenMatcher.Pattern(
        id: id, bytes: bytes, stripsLeft: token.stripsLeft, stripsRight: token.stripsRight,
        isSingleWord: token.isSingleWord,
        isPassedOver: splitsSpecials && added.specials.contains(ByteKey(token.content.utf8)))
    }
  }

  // MARK: - Ways that matter for speed

  private var quickNormalizer: TokenizerPipeline.QuickNormalizer {
    switch normalizer.steps.count {
    case 0: return .none
    case 1:
      if case .form(.nfc) = normalizer.steps[0] { return .composed }
      if case .replace(let from, let to) = normalizer.steps[0], from.count == 1 {
        return .space(prefix: [], from: from[0], to: to)
      }
    case 2:
      if case .prepend(let prefix) = normalizer.steps[0], case .replace(let from, let to) = normalizer.steps[1],
        from.count == 1
      {
        let changed = TextPattern.ranges(of: from, in: prefix).isEmpty
        return changed ? .space(prefix: prefix, from: from[0], to: to) : .steps
      }
    default: break
    }
    return .steps
  }

  private func cutAndWords(_ characterIDs: [UInt32: Int32]) -> (TokenizerPipeline.Cutting, TokenizerPipeline.Words) {
    var steps = preSteps
    var words = TokenizerPipeline.Words.characters
    if case .byteLevel(let addPrefixSpace, let usesPattern)? = steps.last {
      // Text that is in the byte-level alphabet already is not bytes any more.
      let isFirst = !normalizer.steps.contains { if case .byteLevel = $0 { true } else { false } }
      let isOnly = !steps.dropLast().contains { if case .byteLevel = $0 { true } else { false } }
      if isFirst, isOnly {
        steps.removeLast()
        words = .byteLevel(addPrefixSpace: addPrefixSpace, usesPattern: usesPattern)
      }
    }
    if steps.isEmpty { return (.none, words) }
    if steps.count == 1, case .split(let pattern, .isolated, false) = steps[0] { return (.pattern(pattern), words) }
    if steps.count == 1, words == .characters, case .metaspace(let marker, let scheme, let splits) = steps[0] {
      // Where words never join at the marker, to cut there or not is the same.
      let joins = merges.contains { $0.right.unicodeScalars.first == marker }
      let isKnown = characterIDs[marker.value] != nil && affixes == nil
      if scheme != .first || normalizer.isEmpty, !splits || (!joins && !ignoresMerges && isKnown) {
        return (.metaspace(marker: Array(String(marker).utf8), scheme), words)
      }
    }
    return (.steps(steps), words)
  }

  private func tracksOrigins(_ cutting: TokenizerPipeline.Cutting) -> Bool {
    guard case .steps(let steps) = cutting else { return false }
    return steps.contains { if case .metaspace(_, .first, _) = $0 { true } else { false } }
  }

  /// Refuses the one mixture in which it is not known here which characters the reference takes for the start of the text.
  private func checkOrigins(_ cutting: TokenizerPipeline.Cutting) throws {
    guard tracksOrigins(cutting) else { return }
    let forms = normalizer.steps.filter { if case .form = $0 { true } else { false } }.count
    let removes = normalizer.steps.contains { step in
      switch step {
      case .strip, .stripAccents, .nmt, .replace, .replacePattern: true
      case .form, .lowercase, .byteLevel, .prepend: false
      }
    }
    guard forms == 0 || (forms == 1 && !removes) else {
      throw ModelFileError(
        .unsupported,
        "'pre_tokenizer' Metaspace with prepend_scheme first is not supported after a Unicode form with other steps")
    }
  }

  /// The marker at which text may be cut into words without changing any id: if every merge whose right side begins with
  /// it has only markers on its left, no merge ever crosses a word start, and words can be encoded (and remembered)
  /// one by one.
  private func wordStart(
    _ cutting: TokenizerPipeline.Cutting, _ words: TokenizerPipeline.Words, _ characterIDs: [UInt32: Int32]
  ) -> [UInt8] {
    guard words == .characters, affixes == nil, !usesAlphabet else { return [] }
    var marker: [UInt8] = []
    var isCut = false
    switch cutting {
    case .metaspace(let bytes, _):
      marker = bytes
      isCut = preSteps.contains { if case .metaspace(_, _, splits: true) = $0 { true } else { false } }
    case .none: if case .replace(_, let to)? = normalizer.steps.last { marker = to }
    case .pattern, .steps: return []
    }
    guard let lead = marker.first, utf8Length(lead) == marker.count else { return [] }
    let scalar = marker.withUnsafeBufferPointer { decodeScalar($0, 0, $0.count) }
    let isFree =
      characterIDs[scalar.value] != nil
      && merges.allSatisfy { merge in
        guard merge.right.unicodeScalars.first == scalar else { return true }
        return merge.left.unicodeScalars.allSatisfy { $0 == scalar }
      }
    return isFree && (isCut || !ignoresMerges) ? marker : []
  }
}
