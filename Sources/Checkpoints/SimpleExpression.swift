/// The part of Python's regular expressions that adapter configurations use, matched in bounded time.
///
/// Characters, classes, groups, alternatives, repetition, `^ $ \b` and look-around; back references, flags, named and atomic
/// groups are refused when the expression is read. Names of modules are ASCII, so matching works on bytes.
///
/// There is no backtracking: every part gives the set of positions where it can end, once for each position where it can
/// begin. Which of several ways a match takes is never asked, so greedy and lazy repetition are the same.
///
/// Not the tokenizers' pattern engine: that one reads another language (Oniguruma's, over Unicode classes, `$` at every
/// line's end), finds the first match in long texts, and refuses look-behind of varying length.
struct SimpleExpression {
  /// Expressions of more bytes are refused.
  static let maximumBytes = 65_536
  /// More repetitions and look-arounds than this are refused.
  static let maximumOperators = 256
  /// Counts in braces beyond this are refused.
  static let maximumCount = 1000
  /// Deeper groups are refused.
  static let maximumDepth = 32

  /// One part; parts name each other by their places in `nodes`.
  enum Node {
    case literal([UInt8])
    /// One of 256 bytes.
    case character([Bool])
    case sequence([Int])
    case choice([Int])
    case repetition(Int, minimum: Int, maximum: Int?)
    case start
    case end
    case wordBoundary(Bool)
    case look(Int, ahead: Bool, wanted: Bool)
  }

  private let nodes: [Node]
  private let root: Int

  /// Parses `text`; `key` names its place in errors.
  init(_ text: String, key: String) throws {
    var parser = try SimpleExpressionParser(text, key: key)
    root = try parser.parse()
    nodes = parser.nodes
  }

  /// Whether the whole of `text` matches.
  func matches(_ text: String) -> Bool {
    var matching = Matching(nodes: nodes, bytes: Array(text.utf8))
    return matching.ends(root, 0).contains(matching.bytes.count)
  }

  /// One look at one text.
  private struct Matching {
    let nodes: [Node]
    let bytes: [UInt8]
    private var known: [Int: Set<Int>] = [:]

    init(nodes: [Node], bytes: [UInt8]) {
      self.nodes = nodes
      self.bytes = bytes
    }

    /// Where node `index` can end when it begins at `position`.
    mutating func ends(_ index: Int, _ position: Int) -> Set<Int> {
      let place = index * (bytes.count + 1) + position
      if let result = known[place] { return result }
      let result = compute(index, position)
      known[place] = result
      return result
    }

    private mutating func ends(_ index: Int, _ positions: Set<Int>) -> Set<Int> {
      var result: Set<Int> = []
      for position in positions { result.formUnion(ends(index, position)) }
      return result
    }

    private mutating func compute(_ index: Int, _ position: Int) -> Set<Int> {
      switch nodes[index] {
      case .literal(let literal):
        return bytes[position...].starts(with: literal) ? [position + literal.count] : []
      case .character(let allowed):
        return position < bytes.count && allowed[Int(bytes[position])] ? [position + 1] : []
      case .sequence(let parts):
        var positions: Set<Int> = [position]
        for part in parts where !positions.isEmpty { positions = ends(part, positions) }
        return positions
      case .choice(let choices):
        var result: Set<Int> = []
        for choice in choices { result.formUnion(ends(choice, position)) }
        return result
      case .repetition(let part, let minimum, let maximum):
        return repeated(part, minimum, maximum, from: position)
      case .start: return position == 0 ? [position] : []
      case .end: return position == bytes.count ? [position] : []
      case .wordBoundary(let wanted):
        let isBoundary = isWord(position - 1) != isWord(position)
        return isBoundary == wanted ? [position] : []
      case .look(let part, let ahead, let wanted):
        let found =
          ahead ? !ends(part, position).isEmpty : (0...position).contains { ends(part, $0).contains(position) }
        return found == wanted ? [position] : []
      }
    }

    private mutating func repeated(_ part: Int, _ minimum: Int, _ maximum: Int?, from position: Int) -> Set<Int> {
      var positions: Set<Int> = [position]
      for _ in 0..<minimum {
        let next = ends(part, positions)
        // From here on it goes round in the same positions.
        if next == positions { break }
        positions = next
      }
      var result = positions
      var left = maximum.map { $0 - minimum } ?? bytes.count + 1
      while left > 0, !positions.isEmpty {
        positions = ends(part, positions).subtracting(result)
        result.formUnion(positions)
        left -= 1
      }
      return result
    }

    private func isWord(_ position: Int) -> Bool {
      bytes.indices.contains(position) && SimpleExpressionParser.word[Int(bytes[position])]
    }
  }
}
