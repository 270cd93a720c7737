import Synchronization

/// The steps from text to ids: added tokens, normalizer, pre-tokenizer, BPE with a cache of words.
struct TokenizerPipeline: Sendable {
  /// How text outside added tokens is cut into words.
  enum Splitting: Hashable, Sendable {
    /// GPT-2's byte-level pre-tokenizer.
    case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
    /// Words begin at `marker`; whole pieces are one word unless merges never cross a word start.
    case characters
  }

  /// Where the marker that stands for a space is put in front of a piece.
  enum Prefix: Hashable, Sendable {
    case never
    /// Normalizer `Prepend`: every non-empty piece.
    case always
    /// `Metaspace` with scheme `always`: pieces that do not begin with it.
    case unlessPresent
    /// `Metaspace` with scheme `first`: the piece at the start of the text, unless it begins with it.
    case firstUnlessPresent
  }

  var ids: [ByteKey: Int32]
  var decoder: TokenDecoder
  var model: BytePairModel
  var splitting: Splitting
  /// Replacements of the normalizer, in order.
  var replacements: [(from: [UInt8], to: [UInt8])]
  var prefix: Prefix
  /// What `prefix` puts in front.
  var prefixBytes: [UInt8]
  var rawTokens: AddedTokenMatcher
  var normalizedTokens: AddedTokenMatcher
  /// Ids of tokens that are one character, by scalar.
  var characterIDs: [UInt32: Int32]
  /// Ids of single bytes (byte-level, or `<0x..>` with byte fallback); -1 where the vocabulary has none.
  var byteIDs: [Int32]
  var hasByteFallback: Bool
  var unknownID: Int32?
  var fusesUnknown: Bool
  var ignoresMerges: Bool
  /// The UTF-8 of the character at which words may be cut, empty where merges cross word starts.
  var wordStart: [UInt8]
  let caches = WordCachePool()

  /// Appends the ids of `text`, without the template's tokens.
  func encode(_ text: String, into ids: inout [Int32]) {
    var text = text
    var cache = caches.take()
    text.withUTF8 { bytes in
      rawTokens.split(bytes) { id, range in
        if let id { return ids.append(id) }
        encodePiece(UnsafeBufferPointer(rebasing: bytes[range]), isFirst: range.lowerBound == 0, &cache, &ids)
      }
    }
    caches.put(cache)
  }

  private func encodePiece(
    _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ cache: inout WordCache, _ ids: inout [Int32]
  ) {
    if prefix == .never, replacements.isEmpty {
      return encodeNormalized(piece, isFirst: isFirst, &cache, &ids)
    }
    normalize(piece, isFirst: isFirst).withUnsafeBufferPointer {
      encodeNormalized($0, isFirst: isFirst, &cache, &ids)
    }
  }

  /// A piece after the normalizer.
  func normalize(_ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool) -> [UInt8] {
    guard !piece.isEmpty else { return [] }
    var output: [UInt8] = []
    output.reserveCapacity(piece.count + piece.count / 2 + prefixBytes.count)
    if prefix == .always { output += prefixBytes }
    output += piece
    for (from, to) in replacements { output = Self.replace(output, from, to) }
    let wanted = prefix == .unlessPresent || (prefix == .firstUnlessPresent && isFirst)
    if wanted, !output.starts(with: prefixBytes) { output.insert(contentsOf: prefixBytes, at: 0) }
    return output
  }

  /// `input` with every occurrence of `from` replaced, left to right.
  static func replace(_ input: [UInt8], _ from: [UInt8], _ to: [UInt8]) -> [UInt8] {
    guard let first = from.first, input.contains(first) else { return input }
    var output: [UInt8] = []
    output.reserveCapacity(input.count + input.count / 2)
    input.withUnsafeBufferPointer { input in
      var copied = 0
      var index = 0
      while index < input.count {
        guard input[index] == first, input.count - index >= from.count,
          from.count == 1 || input[index..<(index + from.count)].elementsEqual(from)
        else {
          index += 1
          continue
        }
        output.append(contentsOf: UnsafeBufferPointer(rebasing: input[copied..<index]))
        output.append(contentsOf: to)
        index += from.count
        copied = index
      }
      output.append(contentsOf: UnsafeBufferPointer(rebasing: input[copied...]))
    }
    return output
  }

  private func encodeNormalized(
    _ bytes: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ cache: inout WordCache, _ ids: inout [Int32]
  ) {
    guard !normalizedTokens.isEmpty else { return encodeText(bytes, &cache, &ids) }
    normalizedTokens.split(bytes) { id, range in
      if let id { ids.append(id) } else { encodeText(UnsafeBufferPointer(rebasing: bytes[range]), &cache, &ids) }
    }
  }

  /// Text without added tokens.
  private func encodeText(_ bytes: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache, _ ids: inout [Int32]) {
    switch splitting {
    case .byteLevel(let addPrefixSpace, let usesPattern):
      if addPrefixSpace, let first = bytes.first, first != 0x20 {
        return ([0x20] + Array(bytes)).withUnsafeBufferPointer {
          encodeByteLevel($0, usesPattern: usesPattern, &cache, &ids)
        }
      }
      encodeByteLevel(bytes, usesPattern: usesPattern, &cache, &ids)
    case .characters:
      var start = 0
      while start < bytes.count {
        let end = wordEnd(bytes, start)
        cache.append(UnsafeBufferPointer(rebasing: bytes[start..<end]), to: &ids) { characterWord($0, &$1) }
        start = end
      }
    }
  }

  private func encodeByteLevel(
    _ bytes: UnsafeBufferPointer<UInt8>, usesPattern: Bool, _ cache: inout WordCache, _ ids: inout [Int32]
  ) {
    guard usesPattern else { return cache.append(bytes, to: &ids) { byteWord($0, &$1) } }
    var start = 0
    while start < bytes.count {
      let end = ByteLevelScanner.wordEnd(bytes, start)
      cache.append(UnsafeBufferPointer(rebasing: bytes[start..<end]), to: &ids) { byteWord($0, &$1) }
      start = end
    }
  }

  /// The end of the word at `start`: the next marker that follows another character.
  private func wordEnd(_ bytes: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    guard let first = wordStart.first else { return bytes.count }
    func isMarker(_ index: Int) -> Bool {
      guard bytes[index] == first, bytes.count - index >= wordStart.count else { return false }
      for offset in 1..<max(wordStart.count, 1) where bytes[index + offset] != wordStart[offset] { return false }
      return true
    }
    var index = start
    while index < bytes.count, isMarker(index) { index += wordStart.count }
    while index < bytes.count, !isMarker(index) { index += 1 }
    return index
  }

  /// Ids of one byte-level word.
  private func byteWord(_ word: UnsafeBufferPointer<UInt8>, _ symbols: inout [Int32]) {
    if ignoresMerges, let id = ids[ByteKey(ByteAlphabet.encode(word).utf8)] { return symbols.append(id) }
    symbols.reserveCapacity(word.count)
    for byte in word {
      let id = byteIDs[Int(byte)]
      // -1 only where the unknown token stands in for a byte; checked when the file was read.
      symbols.append(id >= 0 ? id : unknownID ?? 0)
    }
    model.merge(&symbols)
  }

  /// Ids of one word of a character vocabulary.
  private func characterWord(_ word: UnsafeBufferPointer<UInt8>, _ symbols: inout [Int32]) {
    if ignoresMerges, let id = ids[ByteKey(word)] { return symbols.append(id) }
    var pendingUnknown = false
    var index = 0
    while index < word.count {
      let length = min(utf8Length(word[index]), word.count - index)
      let character = word[index..<(index + length)]
      index += length
      if let id = characterIDs[decodeScalar(word, index - length, length).value] {
        if pendingUnknown, let unknownID { symbols.append(unknownID) }
        pendingUnknown = false
        symbols.append(id)
        continue
      }
      if hasByteFallback, character.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
        // As in the reference, an unknown token that is still pending comes after these bytes.
        for byte in character { symbols.append(byteIDs[Int(byte)]) }
        continue
      }
      if pendingUnknown, !fusesUnknown, let unknownID { symbols.append(unknownID) }
      pendingUnknown = true
    }
    if pendingUnknown, let unknownID { symbols.append(unknownID) }
    model.merge(&symbols)
  }
}

/// Bytes of the UTF-8 sequence that starts with `lead` (valid text).
@inline(__always)
func utf8Length(_ lead: UInt8) -> Int { lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4 }
