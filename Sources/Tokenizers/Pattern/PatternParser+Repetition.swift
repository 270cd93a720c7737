extension PatternParser {
  /// Reads what stands behind an atom: `*`, `+`, `?`, `{n,m}` and what makes them lazy or possessive.
  mutating func repetition(of node: PatternNode) throws -> PatternNode {
    var node = node
    while let scalar = current {
      var bounds: (least: Int, most: Int?)
      var isBraced = false
      switch scalar {
      case "*": bounds = (0, nil)
      case "+": bounds = (1, nil)
      case "?": bounds = (0, 1)
      case "{":
        guard let found = try braces() else { return node }
        (bounds, isBraced) = (found, true)
      default: return node
      }
      if !isBraced { position += 1 }
      var greed = PatternNode.Greed.greedy
      if take("?") {
        // `{n}?` means "n times or not at all" here.
        if isBraced, bounds.least == bounds.most {
          node = .repeated(node, least: bounds.least, most: bounds.most, .greedy)
          bounds = (0, 1)
        } else {
          greed = .lazy
        }
      } else if !isBraced, take("+") {
        greed = .possessive
      }
      switch node {
      case .look, .anchor: throw refusal("a repeated condition")
      default: break
      }
      guard !node.canBeEmpty || (bounds.least == 0 && bounds.most == 1) else {
        throw refusal("a repetition of what may be empty")
      }
      node = .repeated(node, least: bounds.least, most: bounds.most, greed)
    }
    return node
  }

  /// `{n}`, `{n,}`, `{,m}` or `{n,m}`; nil (and nothing taken) where the brace is only a character.
  private mutating func braces() throws -> (least: Int, most: Int?)? {
    let start = position
    position += 1
    let least = try digits()
    var most = least
    if take(",") { most = try digits() ?? (least == nil ? -1 : nil) }
    guard take("}"), least != nil || (most ?? -1) >= 0 else {
      position = start
      throw refusal("'{' as a character; write \\{")
    }
    if let least, let most, most < least { throw refusal("a count that ends below its start") }
    return (least ?? 0, most)
  }

  private mutating func digits() throws -> Int? {
    var value: Int?
    while let scalar = current, let digit = Int(String(scalar)), scalar.isASCII {
      value = (value ?? 0) * 10 + digit
      guard value ?? 0 <= Self.maximumCount else { throw refusal("a count above \(Self.maximumCount)") }
      position += 1
    }
    return value
  }
}
