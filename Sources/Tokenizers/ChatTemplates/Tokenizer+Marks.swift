extension Tokenizer {
  /// Ids of a text without the template's tokens, and for each whether it has a part of what is marked: what the assistant
  /// says, for a loss on that alone.
  ///
  /// Throws ``ChatError`` where the tokenizer changes the text so that the places of its tokens are lost.
  ///
  /// - Parameter ranges: of Unicode scalars of the text.
  package func encode(_ text: String, marking ranges: [Range<Int>]) throws -> (ids: [Int32], isMarked: [Bool]) {
    var offsets = [0]
    for scalar in text.unicodeScalars { offsets.append(offsets[offsets.count - 1] + UTF8.width(scalar)) }
    let marked = ranges.filter { !$0.isEmpty && $0.upperBound < offsets.count }
      .map { offsets[$0.lowerBound]..<offsets[$0.upperBound] }
    var text = text
    guard let places = text.withUTF8({ pipeline.places($0) }) else {
      throw ChatError("the tokenizer changes the text, so that its tokens have no places in it for marks of replies")
    }
    // What stands for no text goes with what follows.
    func isMarked(_ range: Range<Int>) -> Bool {
      marked.contains { range.isEmpty ? $0.contains(range.lowerBound) : $0.overlaps(range) }
    }
    return (places.map(\.id), places.map { isMarked($0.range) })
  }
}

extension TokenizerPipeline {
  /// Tokens with their places in the bytes of a text; nil where what they stand for is not the text.
  func places(_ bytes: UnsafeBufferPointer<UInt8>) -> [(id: Int32, range: Range<Int>)]? {
    var places: [(id: Int32, range: Range<Int>)] = []
    var isComplete = true
    var cache = caches.take()
    defer { caches.put(cache) }
    rawTokens.split(bytes) { id, range in
      if let id { return places.append((id, range)) }
      cache.output.count = 0
      encodePiece(UnsafeBufferPointer(rebasing: bytes[range]), at: range.lowerBound, &cache)
      var start = range.lowerBound
      let pieces = cache.output.elements.map { id in (id: id, bytes: written(id)) }
      // A space that the tokenizer put in front has no place.
      let isInvented = pieces.reduce(0) { $0 + $1.bytes.count } == range.count + 1 && pieces.first?.bytes.first == 0x20
      for (index, piece) in pieces.enumerated() {
        let own = isInvented && index == 0 ? piece.bytes.dropFirst() : piece.bytes[...]
        let end = min(start + own.count, range.upperBound)
        if !bytes[start..<end].elementsEqual(own) { isComplete = false }
        places.append((piece.id, start..<end))
        start = end
      }
      if start != range.upperBound { isComplete = false }
    }
    return isComplete ? places : nil
  }

  /// The bytes of a text that a token stands for.
  private func written(_ id: Int32) -> [UInt8] {
    guard let token = decoder.token(id) else { return [] }
    return token.fallbackByte.map { [$0] } ?? token.bytes
  }
}
