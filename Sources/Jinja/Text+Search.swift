extension Text {
  /// Where `other` begins in a part of the text, from the front.
  func first(_ other: Text, in range: Range<Int>) -> Int? {
    let needle = other.scalars
    guard range.count >= needle.count else { return nil }
    if needle.isEmpty { return range.lowerBound }
    return (range.lowerBound...(range.upperBound - needle.count)).first { starts(with: needle, at: $0) }
  }

  func last(_ other: Text, in range: Range<Int>) -> Int? {
    let needle = other.scalars
    guard range.count >= needle.count else { return nil }
    return (range.lowerBound...(range.upperBound - needle.count)).last { starts(with: needle, at: $0) }
  }

  func starts(with needle: [Unicode.Scalar], at index: Int) -> Bool {
    guard index >= 0, index + needle.count <= scalars.count else { return false }
    for offset in needle.indices where scalars[index + offset] != needle[offset] { return false }
    return true
  }

  func contains(_ other: Text) -> Bool { first(other, in: 0..<count) != nil }

  /// How often `other` occurs without overlap.
  func occurrences(of other: Text, in range: Range<Int>) -> Int {
    if other.isEmpty { return range.count + 1 }
    var (found, rest) = (0, range)
    while let index = first(other, in: rest) {
      found += 1
      rest = (index + other.count)..<range.upperBound
    }
    return found
  }

  func replacing(_ old: Text, with new: Text, limit: Int) -> Text {
    var result: [Unicode.Scalar] = []
    var (left, index) = (limit < 0 ? Int.max : limit, 0)
    if old.isEmpty {
      while index <= count, left > 0 {
        result += new.scalars
        if index < count { result.append(scalars[index]) }
        (index, left) = (index + 1, left - 1)
      }
      if index < count { result += scalars[index...] }
      return Text(result)
    }
    while left > 0, let next = first(old, in: index..<count) {
      result += scalars[index..<next] + new.scalars
      (index, left) = (next + old.count, left - 1)
    }
    return Text(result + scalars[index...])
  }

  // MARK: - Trimming

  enum Side { case front, back, both }

  /// Without the white space at its ends, or without the characters of a set.
  func trimmed(_ characters: Text? = nil, _ side: Side = .both) -> Text {
    let set = characters.map { Set($0.scalars) }
    func goes(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? scalar.isSpace }
    var (start, end) = (0, count)
    if side != .back { while start < end, goes(scalars[start]) { start += 1 } }
    if side != .front { while end > start, goes(scalars[end - 1]) { end -= 1 } }
    return Text(Array(scalars[start..<end]), isMarkup: isMarkup)
  }

  // MARK: - Splitting

  /// Pieces between white space.
  func splitAtSpace(limit: Int) -> [Text] {
    var pieces: [Text] = []
    var index = 0
    while true {
      while index < count, scalars[index].isSpace { index += 1 }
      if index == count { return pieces }
      if pieces.count == limit { return pieces + [Text(scalars[index...]).trimmed(nil, .back)] }
      let start = index
      while index < count, !scalars[index].isSpace { index += 1 }
      pieces.append(Text(scalars[start..<index]))
    }
  }

  func splitAtSpaceFromBack(limit: Int) -> [Text] {
    var pieces: [Text] = []
    var index = count
    while true {
      while index > 0, scalars[index - 1].isSpace { index -= 1 }
      if index == 0 { return pieces.reversed() }
      if pieces.count == limit { return [Text(scalars[..<index]).trimmed(nil, .front)] + pieces.reversed() }
      let end = index
      while index > 0, !scalars[index - 1].isSpace { index -= 1 }
      pieces.append(Text(scalars[index..<end]))
    }
  }

  /// Pieces between separators, which are not empty.
  func split(at separator: Text, limit: Int) -> [Text] {
    var pieces: [Text] = []
    var index = 0
    while pieces.count != limit, let next = first(separator, in: index..<count) {
      pieces.append(Text(scalars[index..<next]))
      index = next + separator.count
    }
    return pieces + [Text(scalars[index...])]
  }

  func splitFromBack(at separator: Text, limit: Int) -> [Text] {
    var pieces: [Text] = []
    var end = count
    while pieces.count != limit, let next = last(separator, in: 0..<end) {
      pieces.append(Text(scalars[(next + separator.count)..<end]))
      end = next
    }
    return [Text(scalars[..<end])] + pieces.reversed()
  }

  func lines(keepingEnds: Bool) -> [Text] {
    var lines: [Text] = []
    var start = 0
    while start < count {
      var end = start
      while end < count, !scalars[end].isLineEnd { end += 1 }
      var next = min(end + 1, count)
      if end + 1 < count, scalars[end] == "\r", scalars[end + 1] == "\n" { next += 1 }
      lines.append(Text(scalars[start..<(keepingEnds ? next : end)]))
      start = next
    }
    return lines
  }
}
