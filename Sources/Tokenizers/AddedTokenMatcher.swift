/// Finds added tokens in text: leftmost, longest at equal starts, with the options of the reference.
struct AddedTokenMatcher: Sendable {
  struct Pattern: Sendable {
    let id: Int32
    let bytes: [UInt8]
    /// Takes the white space before (after) it along.
    let stripsLeft: Bool
    let stripsRight: Bool
    /// Only where no word character touches it.
    let isSingleWord: Bool
    /// Found, and then left as text (special tokens where the files ask to split them).
    var isPassedOver = false
  }

  /// Patterns by their first byte, longest first.
  private var byFirst: [[Pattern]] = Array(repeating: [], count: 256)
  /// Whether a pattern begins with the byte.
  private var starts: [Bool] = Array(repeating: false, count: 256)
  let isEmpty: Bool

  init(_ patterns: [Pattern]) {
    isEmpty = patterns.isEmpty
    for pattern in patterns {
      if let first = pattern.bytes.first { byFirst[Int(first)].append(pattern) }
    }
    for index in byFirst.indices {
      byFirst[index].sort { $0.bytes.count > $1.bytes.count }
      starts[index] = !byFirst[index].isEmpty
    }
  }

  /// Calls `emit` with the pieces of `text` in order: an added token's id and range, or nil and a range of other text.
  func split(_ text: UnsafeBufferPointer<UInt8>, _ emit: (Int32?, Range<Int>) -> Void) {
    guard !isEmpty else {
      if !text.isEmpty { emit(nil, 0..<text.count) }
      return
    }
    var done = 0
    var index = 0
    while true {
      index = nextStart(text, index)
      if index >= text.count { break }
      guard let pattern = match(text, index) else {
        index += 1
        continue
      }
      var range = index..<(index + pattern.bytes.count)
      index = range.upperBound
      if pattern.isPassedOver { continue }
      if pattern.isSingleWord, touchesWord(text, range) { continue }
      let start = pattern.stripsLeft ? max(spaceStart(text, range.lowerBound), done) : range.lowerBound
      let end = pattern.stripsRight ? spaceEnd(text, range.upperBound) : range.upperBound
      range = min(start, end)..<end
      if done < range.lowerBound { emit(nil, done..<range.lowerBound) }
      // A token that lies wholly in what the one before took along is none.
      if !range.isEmpty { emit(pattern.id, range) }
      // As in the reference: a token inside the white space that the one before took along gives the rest of it back.
      done = range.upperBound
    }
    if done < text.count { emit(nil, done..<text.count) }
  }

  /// The first place from `index` on at which a pattern may begin.
  private func nextStart(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Int {
    starts.withUnsafeBufferPointer { starts in
      var index = index
      while index < text.count, !starts[Int(text[index])] { index += 1 }
      return index
    }
  }

  private func match(_ text: UnsafeBufferPointer<UInt8>, _ index: Int) -> Pattern? {
    byFirst[Int(text[index])].first { pattern in
      guard text.count - index >= pattern.bytes.count else { return false }
      for offset in 1..<max(pattern.bytes.count, 1) where text[index + offset] != pattern.bytes[offset] { return false }
      return true
    }
  }

  private func touchesWord(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    if range.lowerBound > 0, isWord(scalarBefore(text, range.lowerBound).scalar) { return true }
    guard range.upperBound < text.count else { return false }
    return isWord(decodeScalar(text, range.upperBound, utf8Length(text[range.upperBound])))
  }

  private func isWord(_ scalar: Unicode.Scalar) -> Bool { UnicodeClasses.isRustWord(scalar.value) }

  private func scalarBefore(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> (scalar: Unicode.Scalar, start: Int) {
    var start = end - 1
    while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
    return (decodeScalar(text, start, end - start), start)
  }

  private func spaceStart(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> Int {
    var position = end
    while position > 0 {
      let (scalar, start) = scalarBefore(text, position)
      guard scalar.properties.isWhitespace else { break }
      position = start
    }
    return position
  }

  private func spaceEnd(_ text: UnsafeBufferPointer<UInt8>, _ start: Int) -> Int {
    var position = start
    while position < text.count {
      let length = utf8Length(text[position])
      guard decodeScalar(text, position, length).properties.isWhitespace else { break }
      position += length
    }
    return position
  }
}
