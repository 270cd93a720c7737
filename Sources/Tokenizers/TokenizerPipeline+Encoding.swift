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
      encodePiece(UnsafeBufferPointer(rebasing: bytes[range]), at: range.lowerBound, &cache)
    }
  }

  /// A piece between added tokens; `place` is where it begins in the text.
  func encodePiece(_ piece: UnsafeBufferPointer<UInt8>, at place: Int, _ cache: inout WordCache) {
    if tracksOrigins { return encodeTracked(piece, at: place, &cache) }
    switch quickNormalizer {
    case .none: return encodeNormalized(piece, at: place, &cache)
    case .space(let prefix, let from, let to):
      Self.replaceByte(piece, prefix, from, to, into: &cache.normalized)
    case .composed:
      if UnicodeForms.isUnchanged(.nfc, piece) { return encodeNormalized(piece, at: place, &cache) }
      normalize(piece, into: &cache.normalized)
    case .steps: normalize(piece, into: &cache.normalized)
    }
    encodeNormalized(cache.normalized.elements, at: place, &cache)
  }

  private func normalize(_ piece: UnsafeBufferPointer<UInt8>, into output: inout GrowingBuffer<UInt8>) {
    var text = TextPiece(piece)
    normalizer.apply(to: &text)
    output.replace(by: text.bytes)
  }

  /// The way of a piece that must know which of its characters began the text.
  private func encodeTracked(_ piece: UnsafeBufferPointer<UInt8>, at place: Int, _ cache: inout WordCache) {
    var text = TextPiece(piece, origins: (place..<(place + piece.count)).map { Int32(clamping: $0) })
    normalizer.apply(to: &text)
    text.bytes.withUnsafeBufferPointer { bytes in
      normalizedTokens.split(bytes) { id, range in
        if let id { return cache.output.append(id) }
        encodeSteps(text.slice(range), &cache)
      }
    }
  }

  /// The one normalizer that matters for speed: something in front, and a single byte (the space) is replaced.
  private static func replaceByte(
    _ piece: UnsafeBufferPointer<UInt8>, _ prefix: [UInt8], _ from: UInt8, _ to: [UInt8],
    into output: inout GrowingBuffer<UInt8>
  ) {
    output.count = 0
    guard !piece.isEmpty else { return }
    output.append(contentsOf: prefix)
    to.withUnsafeBufferPointer { to in
      output.reserve(piece.count)
      for byte in piece {
        if byte != from {
          output.append(byte)
        } else if let base = to.baseAddress {
          output.append(base, to.count)
        }
      }
    }
  }

  private func encodeNormalized(_ bytes: UnsafeBufferPointer<UInt8>, at place: Int, _ cache: inout WordCache) {
    guard !normalizedTokens.isEmpty else { return encodeText(bytes, at: place, &cache) }
    normalizedTokens.split(bytes) { id, range in
      if let id { return cache.output.append(id) }
      encodeText(UnsafeBufferPointer(rebasing: bytes[range]), at: place + range.lowerBound, &cache)
    }
  }

  /// Text without added tokens.
  private func encodeText(_ bytes: UnsafeBufferPointer<UInt8>, at place: Int, _ cache: inout WordCache) {
    guard !bytes.isEmpty else { return }
    switch cutting {
    case .none: encodeWords(bytes, &cache)
    case .metaspace(let marker, let scheme):
      Self.replaceByte(bytes, [], 0x20, marker, into: &cache.marked)
      let isWanted = scheme == .always || (scheme == .first && place == 0)
      if isWanted, !cache.marked.elements.starts(with: marker) {
        Self.replaceByte(bytes, marker, 0x20, marker, into: &cache.marked)
      }
      encodeWords(cache.marked.elements, &cache)
    case .pattern(let pattern):
      var done = 0
      pattern.matches(in: bytes) { range in
        if done < range.lowerBound {
          encodeWords(UnsafeBufferPointer(rebasing: bytes[done..<range.lowerBound]), &cache)
        }
        encodeWords(UnsafeBufferPointer(rebasing: bytes[range]), &cache)
        done = range.upperBound
      }
      if done < bytes.count { encodeWords(UnsafeBufferPointer(rebasing: bytes[done...]), &cache) }
    case .steps: encodeSteps(TextPiece(bytes), &cache)
    }
  }

  private func encodeSteps(_ piece: TextPiece, _ cache: inout WordCache) {
    guard case .steps(let steps) = cutting, !piece.bytes.isEmpty else { return }
    for word in PreTokenizer.apply(steps, to: [piece]) {
      word.bytes.withUnsafeBufferPointer { encodeWords($0, &cache) }
    }
  }

  /// A piece that the pre-tokenizer cuts no further, up to a byte-level step at its end.
  private func encodeWords(_ bytes: UnsafeBufferPointer<UInt8>, _ cache: inout WordCache) {
    guard let base = bytes.baseAddress, !bytes.isEmpty else { return }
    switch words {
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
}
