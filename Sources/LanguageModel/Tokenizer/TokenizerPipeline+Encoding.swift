extension TokenizerPipeline {
  /// Appends the ids of `text`, without the template's tokens.
  func encode(_ text: String, into ids: inout [Int32]) {
    var text = text
    var cache = caches.take()
    text.withUTF8 { encode($0, &cache) }
    ids.append(contentsOf: cache.output.elements)
    caches.put(cache)
  }

  /// Replaces the cache's output by the ids of `bytes`, which are valid UTF-8.
  func encode(_ bytes: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    cache.output.count = 0
    rawTokens.split(bytes) { id, range in
      if let id { return cache.output.append(id) }
      encodePiece(UnsafeBufferPointer(rebasing: bytes[range]), isFirst: range.lowerBound == 0, &cache)
    }
  }

  private func encodePiece(_ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, _ cache: inout WordCache) {
    if prefix == .never, replacements.isEmpty { return encodeNormalized(piece, &cache) }
    normalize(piece, isFirst: isFirst, into: &cache.normalized)
    encodeNormalized(cache.normalized.elements, &cache)
  }

  /// A piece after the normalizer.
  func normalize(_ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool) -> [UInt8] {
    var buffer = GrowingBuffer<UInt8>(capacity: 2 * piece.count + prefixBytes.count)
    defer { buffer.free() }
    normalize(piece, isFirst: isFirst, into: &buffer)
    return Array(buffer.elements)
  }

  private func normalize(_ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, into output: inout GrowingBuffer<UInt8>) {
    output.count = 0
    guard !piece.isEmpty else { return }
    if replacements.count == 1, replacements[0].from.count == 1 {
      return normalizeByByte(piece, isFirst: isFirst, into: &output)
    }
    var text: [UInt8] = prefix == .always ? prefixBytes : []
    text += piece
    for (from, to) in replacements { text = Self.replace(text, from, to) }
    let wanted = prefix == .unlessPresent || (prefix == .firstUnlessPresent && isFirst)
    if wanted, !text.starts(with: prefixBytes) { text.insert(contentsOf: prefixBytes, at: 0) }
    text.withUnsafeBufferPointer { bytes in
      if let base = bytes.baseAddress { output.append(base, bytes.count) }
    }
  }

  /// The one case that matters for speed: a single byte (the space) is replaced.
  private func normalizeByByte(
    _ piece: UnsafeBufferPointer<UInt8>, isFirst: Bool, into output: inout GrowingBuffer<UInt8>
  ) {
    let from = replacements[0].from[0]
    replacements[0].to.withUnsafeBufferPointer { to in
      func put(_ byte: UInt8) {
        guard byte == from else { return output.append(byte) }
        if let base = to.baseAddress { output.append(base, to.count) }
      }
      if prefix == .always { for byte in prefixBytes { put(byte) } }
      output.reserve(piece.count)
      for byte in piece { put(byte) }
    }
    let wanted = prefix == .unlessPresent || (prefix == .firstUnlessPresent && isFirst)
    guard wanted, !output.elements.starts(with: prefixBytes) else { return }
    let text = Array(output.elements)
    output.count = 0
    for part in [prefixBytes, text] {
      part.withUnsafeBufferPointer { if let base = $0.baseAddress { output.append(base, $0.count) } }
    }
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

  private func encodeNormalized(_ bytes: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    guard !normalizedTokens.isEmpty else { return encodeText(bytes, &cache) }
    normalizedTokens.split(bytes) { id, range in
      if let id { return cache.output.append(id) }
      encodeText(UnsafeBufferPointer(rebasing: bytes[range]), &cache)
    }
  }

  /// Text without added tokens.
  private func encodeText(_ bytes: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    switch splitting {
    case .byteLevel(let addPrefixSpace, let usesPattern):
      if addPrefixSpace, base[0] != 0x20 {
        return ([0x20] + Array(bytes)).withUnsafeBufferPointer {
          encodeByteLevel($0, usesPattern: usesPattern, &cache)
        }
      }
      encodeByteLevel(bytes, usesPattern: usesPattern, &cache)
    case .characters:
      wordStart.withUnsafeBufferPointer { marker in
        var start = 0
        while start < bytes.count {
          let end = Self.wordEnd(bytes, start, marker)
          encodeWord(base + start, end - start, &cache)
          start = end
        }
      }
    }
  }

  private func encodeByteLevel(
    _ bytes: UnsafeBufferPointer<UInt8>, usesPattern: Bool, _ cache: inout WordCache
  ) {
    guard let base = bytes.baseAddress else { return }
    guard usesPattern else { return encodeWord(base, bytes.count, &cache) }
    ByteLevelScanner.classes.withUnsafeBufferPointer {
      guard let classes = $0.baseAddress else { return }
      var start = 0
      while start < bytes.count {
        let end = ByteLevelScanner.wordEnd(bytes, start, classes)
        encodeWord(base + start, end - start, &cache)
        start = end
      }
    }
  }

  /// The end of the word at `start`: the next marker that follows another character.
  @inline(__always)
  private static func wordEnd(
    _ bytes: UnsafeBufferPointer<UInt8>, _ start: Int, _ marker: UnsafeBufferPointer<UInt8>
  ) -> Int {
    guard let first = marker.first else { return bytes.count }
    @inline(__always)
    func isMarker(_ index: Int) -> Bool {
      guard bytes[index] == first, bytes.count - index >= marker.count else { return false }
      var offset = 1
      while offset < marker.count {
        if bytes[index + offset] != marker[offset] { return false }
        offset += 1
      }
      return true
    }
    var index = start
    while index < bytes.count, isMarker(index) { index += marker.count }
    while index < bytes.count, !isMarker(index) { index += 1 }
    return index
  }

  /// Appends the ids of one word, from the cache where it is known.
  @inline(__always)
  private func encodeWord(_ word: UnsafePointer<UInt8>, _ length: Int, _ cache: inout WordCache) {
    if length <= WordCache.maximumWord, cache.append(word, length) { return }
    computeWord(UnsafeBufferPointer(start: word, count: length), &cache)
  }

  @inline(never)
  private func computeWord(_ word: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    cache.symbols.count = 0
    if splitting == .characters { characterWord(word, &cache) } else { byteWord(word, &cache) }
    cache.output.append(cache.symbols.base, cache.symbols.count)
    if word.count <= WordCache.maximumWord, let base = word.baseAddress { cache.remember(base, word.count) }
  }

  private func mergeSymbols(_ cache: inout WordCache) {
    let count = cache.symbols.count
    cache.pairs.count = 0
    cache.pairs.reserve(count)
    cache.symbols.count = model.merge(cache.symbols.base, count, cache.pairs.base)
  }

  /// Ids of one byte-level word.
  private func byteWord(_ word: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    if ignoresMerges, let id = ids[ByteKey(ByteAlphabet.encode(word).utf8)] { return cache.symbols.append(id) }
    cache.symbols.reserve(word.count)
    byteIDs.withUnsafeBufferPointer { byteIDs in
      for byte in word {
        let id = byteIDs[Int(byte)]
        // -1 only where the unknown token stands in for a byte; checked when the file was read.
        cache.symbols.append(id >= 0 ? id : unknownID ?? 0)
      }
    }
    mergeSymbols(&cache)
  }

  /// Ids of one word of a character vocabulary.
  private func characterWord(_ word: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    if ignoresMerges, let id = ids[ByteKey(word)] { return cache.symbols.append(id) }
    var pendingUnknown = false
    var index = 0
    while index < word.count {
      let length = min(utf8Length(word[index]), word.count - index)
      let character = UnsafeBufferPointer(rebasing: word[index..<(index + length)])
      let id = characterIDs[decodeScalar(word, index, length).value]
      index += length
      if id >= 0 {
        if pendingUnknown, let unknownID { cache.symbols.append(unknownID) }
        pendingUnknown = false
        cache.symbols.append(id)
        continue
      }
      if hasByteFallback, character.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
        // As in the reference, an unknown token that is still pending comes after these bytes.
        for byte in character { cache.symbols.append(byteIDs[Int(byte)]) }
        continue
      }
      if pendingUnknown, !fusesUnknown, let unknownID { cache.symbols.append(unknownID) }
      pendingUnknown = true
    }
    if pendingUnknown, let unknownID { cache.symbols.append(unknownID) }
    mergeSymbols(&cache)
  }
}
