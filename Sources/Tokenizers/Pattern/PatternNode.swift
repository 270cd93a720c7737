/// A part of a parsed pattern.
indirect enum PatternNode: Sendable {
  case empty
  case set(ScalarSet)
  case sequence([PatternNode])
  case choice([PatternNode])
  case repeated(PatternNode, least: Int, most: Int?, Greed)
  case look(PatternNode, isAhead: Bool, isNegative: Bool)
  case atomic(PatternNode)
  case anchor(Anchor)

  enum Greed: Sendable {
    case greedy, lazy, possessive
  }
  enum Anchor: Sendable {
    case textStart, textEnd, textEndOrLastNewline, lineStart, lineEnd, wordBoundary, noWordBoundary
  }

  /// Whether it can match without taking a character.
  var canBeEmpty: Bool {
    switch self {
    case .empty, .look, .anchor: true
    case .set: false
    case .sequence(let parts): parts.allSatisfy(\.canBeEmpty)
    case .choice(let parts): parts.contains(where: \.canBeEmpty)
    case .repeated(let part, let least, _, _): least == 0 || part.canBeEmpty
    case .atomic(let part): part.canBeEmpty
    }
  }

  /// The number of characters it takes where that is always the same; what stands behind a look-behind must have it.
  var fixedLength: Int? {
    switch self {
    case .empty, .look, .anchor: return 0
    case .set: return 1
    case .sequence(let parts):
      return parts.reduce(0) { sum, part in sum.flatMap { sum in part.fixedLength.map { sum + $0 } } }
    case .choice(let parts):
      let lengths = Set(parts.map(\.fixedLength))
      return lengths.count == 1 ? lengths.first ?? nil : nil
    case .repeated(let part, let least, let most, _):
      guard least == most, let length = part.fixedLength else { return nil }
      return least * length
    case .atomic(let part): return part.fixedLength
    }
  }
}
