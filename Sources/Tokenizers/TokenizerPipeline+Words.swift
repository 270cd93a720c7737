extension TokenizerPipeline {
  /// Appends the ids of one word, from the cache where it is known.
  @inline(__always)
  func encodeWord(_ word: UnsafePointer<UInt8>, _ length: Int, _ cache: inout WordCache) {
    if length <= WordCache.maximumWord, cache.append(word, length) { return }
    computeWord(UnsafeBufferPointer(start: word, count: length), &cache)
  }

  @inline(never)
  private func computeWord(_ word: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    cache.symbols.count = 0
    if words == .characters { characterWord(word, &cache) } else { byteWord(word, &cache) }
    cache.output.append(cache.symbols.base, cache.symbols.count)
    if word.count <= WordCache.maximumWord, cache.symbols.count <= Int(UInt16.max), let base = word.baseAddress {
      cache.remember(base, word.count)
    }
  }

  private func mergeSymbols(_ cache: inout WordCache) {
    let count = cache.symbols.count
    cache.pairs.count = 0
    cache.pairs.reserve(count)
    cache.symbols.count = model.merge(cache.symbols.base, count, cache.pairs.base)
  }

  /// Ids of one byte-level word.
  private func byteWord(_ word: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    // A vocabulary that lacks bytes, or writes them in an odd way: every byte is a character of the alphabet.
    if affixes != nil || !hasEveryByte {
      var text: [UInt8] = []
      text.reserveCapacity(2 * word.count)
      for byte in word { text.append(scalar: ByteAlphabet.scalars[Int(byte)]) }
      return text.withUnsafeBufferPointer { characterWord($0, &cache) }
    }
    if ignoresMerges, let id = modelIDs[ByteKey(ByteAlphabet.encode(word).utf8)] { return cache.symbols.append(id) }
    cache.symbols.reserve(word.count)
    byteIDs.withUnsafeBufferPointer { byteIDs in
      for byte in word { cache.symbols.append(byteIDs[Int(byte)]) }
    }
    mergeSymbols(&cache)
  }

  /// Ids of one word of a character vocabulary.
  private func characterWord(_ word: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    if ignoresMerges, let id = modelIDs[ByteKey(word)] { return cache.symbols.append(id) }
    var pendingUnknown = false
    var index = 0
    while index < word.count {
      let length = min(utf8Length(word[index]), word.count - index)
      let character = UnsafeBufferPointer(rebasing: word[index..<(index + length)])
      let written = affixes.map { $0.written(character, isFirst: index == 0, isLast: index + length == word.count) }
      let id = written.map { modelIDs[ByteKey($0)] ?? -1 } ?? characterIDs[decodeScalar(word, index, length).value]
      index += length
      if id >= 0 {
        if pendingUnknown, let unknownID { cache.symbols.append(unknownID) }
        pendingUnknown = false
        cache.symbols.append(id)
        continue
      }
      let bytes = written ?? Array(character)
      if hasByteFallback, bytes.allSatisfy({ fallbackIDs[Int($0)] >= 0 }) {
        // As in the reference, an unknown token that is still pending comes after these bytes.
        for byte in bytes { cache.symbols.append(fallbackIDs[Int(byte)]) }
        continue
      }
      if pendingUnknown, !fusesUnknown, let unknownID { cache.symbols.append(unknownID) }
      pendingUnknown = true
    }
    if pendingUnknown, let unknownID { cache.symbols.append(unknownID) }
    mergeSymbols(&cache)
  }
}

extension TokenizerPipeline.Affixes {
  /// A character as the vocabulary writes it at its place in the word.
  func written(_ character: UnsafeBufferPointer<UInt8>, isFirst: Bool, isLast: Bool) -> [UInt8] {
    (isFirst ? [] : prefix) + character + (isLast ? suffix : [])
  }
}
