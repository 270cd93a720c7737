/// A piece of text on its way through normalizer and pre-tokenizer.
struct TextPiece {
  var bytes: [UInt8]
  /// For every byte the place in the whole text where what it came from began; empty where nobody asks.
  ///
  /// Only `Metaspace` with scheme `first` asks: does this piece come from the start of the text?
  var origins: [Int32]

  init(_ bytes: some Sequence<UInt8>, origins: [Int32] = []) {
    self.bytes = Array(bytes)
    self.origins = origins
  }

  var isTracked: Bool { !origins.isEmpty }
  var startsText: Bool { origins.first == 0 }

  func slice(_ range: Range<Int>) -> TextPiece {
    TextPiece(bytes[range], origins: isTracked ? Array(origins[range]) : [])
  }

  /// Puts `text` in front; it comes from where the first character came from.
  mutating func prepend(_ text: [UInt8]) {
    guard !bytes.isEmpty else { return }
    bytes.insert(contentsOf: text, at: 0)
    if let first = origins.first { origins.insert(contentsOf: repeatElement(first, count: text.count), at: 0) }
  }

  /// Replaces ranges, which are in order and do not overlap; the new text comes from the last byte it replaces.
  mutating func replace(_ ranges: [Range<Int>], by text: [UInt8]) {
    guard !ranges.isEmpty else { return }
    var result = TextPiece([])
    result.bytes.reserveCapacity(bytes.count + ranges.count * text.count)
    var copied = 0
    func copy(to end: Int) {
      result.bytes += bytes[copied..<end]
      if isTracked { result.origins += origins[copied..<end] }
    }
    for range in ranges {
      copy(to: range.lowerBound)
      result.bytes += text
      if isTracked { result.origins += repeatElement(origins[range.upperBound - 1], count: text.count) }
      copied = range.upperBound
    }
    copy(to: bytes.count)
    self = result
  }

  /// Maps every character to some others, or to none.
  mutating func map(_ change: (Unicode.Scalar, inout [UInt8]) -> Void) {
    var result = TextPiece([])
    result.bytes.reserveCapacity(bytes.count)
    bytes.withUnsafeBufferPointer { bytes in
      var index = 0
      while index < bytes.count {
        let length = min(utf8Length(bytes[index]), bytes.count - index)
        let before = result.bytes.count
        change(decodeScalar(bytes, index, length), &result.bytes)
        if isTracked {
          result.origins += repeatElement(origins[index], count: result.bytes.count - before)
        }
        index += length
      }
    }
    self = result
  }

  /// Calls `body` with every character and its bytes.
  func forEachScalar(_ body: (Unicode.Scalar, Range<Int>) -> Void) {
    bytes.withUnsafeBufferPointer { bytes in
      var index = 0
      while index < bytes.count {
        let length = min(utf8Length(bytes[index]), bytes.count - index)
        body(decodeScalar(bytes, index, length), index..<(index + length))
        index += length
      }
    }
  }
}

extension [UInt8] {
  /// Appends the UTF-8 of a character.
  @inline(__always)
  mutating func append(scalar: Unicode.Scalar) {
    if scalar.value < 0x80 { return append(UInt8(scalar.value)) }
    append(contentsOf: UTF8.encode(scalar) ?? .init())
  }
}
