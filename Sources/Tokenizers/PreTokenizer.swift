/// The steps of a `pre_tokenizer`, in order.
struct PreTokenizer: Sendable {
  enum Behavior: String, Sendable {
    case removed = "Removed"
    case isolated = "Isolated"
    case mergedWithPrevious = "MergedWithPrevious"
    case mergedWithNext = "MergedWithNext"
    case contiguous = "Contiguous"
  }
  /// Which pieces `Metaspace` begins with its marker.
  enum PrependScheme: String, Sendable {
    case always, first, never
  }
  enum Step: Sendable {
    case byteLevel(addPrefixSpace: Bool, usesPattern: Bool)
    case metaspace(marker: Unicode.Scalar, PrependScheme, splits: Bool)
    case split(TextPattern, Behavior, isInverted: Bool)
    case digits(individually: Bool)
    case punctuation(Behavior)
    case whitespace
    case whitespaceSplit
    case delimiter(Unicode.Scalar)
    case fixedLength(Int)
  }

  /// Cuts every piece; empty ones vanish.
  static func apply(_ steps: [Step], to pieces: [TextPiece]) -> [TextPiece] {
    steps.reduce(pieces) { pieces, step in
      pieces.flatMap { cut($0, step).filter { !$0.bytes.isEmpty } }
    }
  }

  private static func cut(_ piece: TextPiece, _ step: Step) -> [TextPiece] {
    switch step {
    case .byteLevel(let addPrefixSpace, let usesPattern): return byteLevel(piece, addPrefixSpace, usesPattern)
    case .metaspace(let marker, let scheme, let splits): return metaspace(piece, marker, scheme, splits)
    case .split(let pattern, let behavior, let isInverted):
      return slices(piece, parts(piece, pattern), behavior, isInverted: isInverted)
    case .digits(let individually):
      return slices(piece, parts(piece, isNumber), individually ? .isolated : .contiguous)
    case .punctuation(let behavior): return slices(piece, parts(piece, isPunctuation), behavior)
    case .whitespace: return words(piece)
    case .whitespaceSplit: return slices(piece, parts(piece) { $0.properties.isWhitespace }, .removed)
    case .delimiter(let scalar): return slices(piece, parts(piece) { $0 == scalar }, .removed)
    case .fixedLength(let length):
      var starts: [Int] = []
      var count = 0
      piece.forEachScalar { _, range in
        if count % length == 0 { starts.append(range.lowerBound) }
        count += 1
      }
      return zip(starts, starts.dropFirst() + [piece.bytes.count]).map { piece.slice($0..<$1) }
    }
  }

  // MARK: - Parts and what becomes of them

  private typealias Part = (range: Range<Int>, isMatch: Bool)

  private static func parts(_ piece: TextPiece, _ pattern: TextPattern) -> [Part] {
    var parts: [Part] = []
    var done = 0
    piece.bytes.withUnsafeBufferPointer { bytes in
      pattern.matches(in: bytes) { range in
        if done < range.lowerBound { parts.append((done..<range.lowerBound, false)) }
        parts.append((range, true))
        done = range.upperBound
      }
    }
    if done < piece.bytes.count { parts.append((done..<piece.bytes.count, false)) }
    return parts
  }

  /// Every character that fulfils `isMatch` is a match of its own.
  private static func parts(_ piece: TextPiece, _ isMatch: (Unicode.Scalar) -> Bool) -> [Part] {
    var parts: [Part] = []
    var done = 0
    piece.forEachScalar { scalar, range in
      guard isMatch(scalar) else { return }
      if done < range.lowerBound { parts.append((done..<range.lowerBound, false)) }
      parts.append((range, true))
      done = range.upperBound
    }
    if done < piece.bytes.count { parts.append((done..<piece.bytes.count, false)) }
    return parts
  }

  private static func slices(
    _ piece: TextPiece, _ parts: [Part], _ behavior: Behavior, isInverted: Bool = false
  ) -> [TextPiece] {
    let parts = isInverted ? parts.map { (range: $0.range, isMatch: !$0.isMatch) } : parts
    var ranges: [Range<Int>] = []
    switch behavior {
    case .isolated: ranges = parts.map(\.range)
    case .removed: ranges = parts.filter { !$0.isMatch }.map(\.range)
    case .contiguous:
      var previous = false
      for part in parts {
        if part.isMatch == previous, let last = ranges.last {
          ranges[ranges.count - 1] = last.lowerBound..<part.range.upperBound
        } else {
          ranges.append(part.range)
        }
        previous = part.isMatch
      }
    case .mergedWithPrevious:
      var previous = false
      for part in parts {
        if part.isMatch, !previous, let last = ranges.last {
          ranges[ranges.count - 1] = last.lowerBound..<part.range.upperBound
        } else {
          ranges.append(part.range)
        }
        previous = part.isMatch
      }
    case .mergedWithNext:
      var previous = false
      for part in parts.reversed() {
        if part.isMatch, !previous, let last = ranges.last {
          ranges[ranges.count - 1] = part.range.lowerBound..<last.upperBound
        } else {
          ranges.append(part.range)
        }
        previous = part.isMatch
      }
      ranges.reverse()
    }
    return ranges.map { piece.slice($0) }
  }

  // MARK: - Steps

  private static func byteLevel(_ piece: TextPiece, _ addPrefixSpace: Bool, _ usesPattern: Bool) -> [TextPiece] {
    var piece = piece
    if addPrefixSpace, piece.bytes.first != 0x20 { piece.prepend([0x20]) }
    var words = [piece]
    if usesPattern {
      words = []
      piece.bytes.withUnsafeBufferPointer { bytes in
        var start = 0
        while start < bytes.count {
          let end = ByteLevelScanner.wordEnd(bytes, start)
          words.append(piece.slice(start..<end))
          start = end
        }
      }
    }
    let alphabet = TextNormalizer(steps: [.byteLevel])
    for index in words.indices { alphabet.apply(to: &words[index]) }
    return words
  }

  private static func metaspace(
    _ piece: TextPiece, _ marker: Unicode.Scalar, _ scheme: PrependScheme, _ splits: Bool
  ) -> [TextPiece] {
    var piece = piece
    var bytes: [UInt8] = []
    bytes.append(scalar: marker)
    piece.replace(TextPattern.ranges(of: [0x20], in: piece.bytes), by: bytes)
    if !piece.bytes.starts(with: bytes), scheme == .always || (scheme == .first && piece.startsText) {
      piece.prepend(bytes)
    }
    return splits ? slices(piece, parts(piece) { $0 == marker }, .mergedWithNext) : [piece]
  }

  /// `\w+|[^\w\s]+`: words and runs of other signs; white space goes.
  private static func words(_ piece: TextPiece) -> [TextPiece] {
    var result: [TextPiece] = []
    var start = 0
    var kind = 0
    func close(_ end: Int) {
      if kind != 0, start < end { result.append(piece.slice(start..<end)) }
    }
    piece.forEachScalar { scalar, range in
      let next = UnicodeClasses.isRustWord(scalar.value) ? 1 : scalar.properties.isWhitespace ? 0 : 2
      if next != kind {
        close(range.lowerBound)
        (start, kind) = (range.lowerBound, next)
      }
    }
    close(piece.bytes.count)
    return result
  }

  private static func isNumber(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }

  /// Punctuation as the reference's tables have it (Unicode 8), and the ASCII symbols.
  static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E, 0x166D, 0x111C9: return true
    case 0..<0x80: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return (scalar.properties.age?.major ?? .max) <= 8
    default: return false
    }
  }
}
