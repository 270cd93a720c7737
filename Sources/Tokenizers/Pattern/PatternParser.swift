import ModelFiles

/// Reads a regular expression in the notation of the reference's pattern library (Oniguruma, Ruby syntax).
///
/// What is not implemented is refused by name: back-references, names, scripts, and case folding beyond ASCII.
struct PatternParser {
  /// Groups in groups beyond this are refused.
  static let maximumDepth = 64
  /// Counts in braces beyond this are refused.
  static let maximumCount = 1000

  let scalars: [Unicode.Scalar]
  var position = 0
  var foldsCase = false
  var dotMatchesNewline = false
  private var depth = 0

  private init(_ pattern: String) { scalars = Array(pattern.unicodeScalars) }

  static func parse(_ pattern: String) throws -> PatternNode {
    var parser = PatternParser(pattern)
    let node = try parser.choice()
    guard parser.position == parser.scalars.count else { throw parser.refusal("a ')' without '('") }
    return node
  }

  func refusal(_ what: String) -> ModelFileError {
    ModelFileError(
      .unsupported,
      "the pattern '\(String(String.UnicodeScalarView(scalars)).prefix(200))' is not supported: \(what) at character \(position + 1)"
    )
  }

  var current: Unicode.Scalar? { position < scalars.count ? scalars[position] : nil }

  mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    guard current == scalar else { return false }
    position += 1
    return true
  }

  mutating func take(_ text: String) -> Bool {
    let wanted = Array(text.unicodeScalars)
    guard scalars.count - position >= wanted.count, scalars[position..<(position + wanted.count)].elementsEqual(wanted)
    else { return false }
    position += wanted.count
    return true
  }

  private mutating func choice() throws -> PatternNode {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw refusal("groups nested deeper than \(Self.maximumDepth)") }
    var parts = [try sequence()]
    while take("|") { parts.append(try sequence()) }
    return parts.count == 1 ? parts[0] : .choice(parts)
  }

  private mutating func sequence() throws -> PatternNode {
    var parts: [PatternNode] = []
    var isAfterFoldedLetter: Unicode.Scalar?
    while let scalar = current, scalar != "|", scalar != ")" {
      let start = position
      let node = try atom(isFirst: parts.isEmpty)
      // Some single characters fold to two letters; a pattern that holds both would have to match them too.
      if foldsCase, position == start + 1, scalar.properties.isAlphabetic {
        let letter = Unicode.Scalar(scalar.value | 0x20) ?? scalar
        let pair = (isAfterFoldedLetter.map(String.init) ?? "") + String(letter)
        if ["ss", "ff", "fi", "fl", "st"].contains(pair) { throw refusal("'\(pair)' without regard to case") }
        isAfterFoldedLetter = letter
      } else {
        isAfterFoldedLetter = nil
      }
      parts.append(try repetition(of: node))
    }
    return parts.count == 1 ? parts[0] : .sequence(parts)
  }

  private mutating func atom(isFirst: Bool) throws -> PatternNode {
    guard let scalar = current else { throw refusal("an unexpected end") }
    position += 1
    switch scalar {
    case "(": return try group(isFirst: isFirst)
    case "[": return .set(try bracket())
    case ".": return .set(dotMatchesNewline ? .complement(.union([])) : .complement(.range(10, 10)))
    case "^": return .anchor(.lineStart)
    case "$": return .anchor(.lineEnd)
    case "*", "+", "?": throw refusal("'\(scalar)' after nothing")
    case "\\": return try escapeNode()
    default: return .set(try literal(scalar))
    }
  }

  /// One written character, with its other case where case is folded.
  func literal(_ scalar: Unicode.Scalar) throws -> ScalarSet {
    guard foldsCase else { return .range(scalar.value, scalar.value) }
    guard scalar.isASCII else { throw refusal("case folding of '\(scalar)'") }
    return Self.folded(.range(scalar.value, scalar.value))
  }

  /// An ASCII set with the other case of its letters; ſ and K fold to s and k.
  static func folded(_ set: ScalarSet) -> ScalarSet {
    var parts = [set]
    for value in UInt32(0x41)...0x5A where set.contains(value) || set.contains(value | 0x20) {
      parts += [.range(value, value), .range(value | 0x20, value | 0x20)]
      if value == 0x53 { parts.append(.range(0x17F, 0x17F)) }
      if value == 0x4B { parts.append(.range(0x212A, 0x212A)) }
    }
    return .union(parts)
  }

  private mutating func group(isFirst: Bool) throws -> PatternNode {
    let (folds, dots) = (foldsCase, dotMatchesNewline)
    defer { (foldsCase, dotMatchesNewline) = (folds, dots) }
    guard take("?") else { return try closed { $0 } }
    if take(":") { return try closed { $0 } }
    if take(">") { return try closed { .atomic($0) } }
    if take("=") { return try closed { .look($0, isAhead: true, isNegative: false) } }
    if take("!") { return try closed { .look($0, isAhead: true, isNegative: true) } }
    if take("<=") { return try lookBehind(isNegative: false) }
    if take("<!") { return try lookBehind(isNegative: true) }
    var isOn = true
    while let scalar = current {
      position += 1
      switch scalar {
      case "-": isOn = false
      case "i": foldsCase = isOn
      case "m": dotMatchesNewline = isOn
      case ":": return try closed { $0 }
      case ")":
        // The setting holds for the rest of the group; only at its start is that the rest of every alternative too.
        guard isFirst else { throw refusal("options in the middle of a group") }
        let node = try choice()
        return node
      default: throw refusal("'(?\(scalar)'")
      }
    }
    throw refusal("an open group")
  }

  private mutating func lookBehind(isNegative: Bool) throws -> PatternNode {
    let node = try closed { PatternNode.look($0, isAhead: false, isNegative: isNegative) }
    guard case .look(let part, _, _) = node, part.fixedLength != nil else {
      throw refusal("a look-behind of varying length")
    }
    return node
  }

  private mutating func closed(_ make: (PatternNode) -> PatternNode) throws -> PatternNode {
    let node = try choice()
    guard take(")") else { throw refusal("an open group") }
    return make(node)
  }
}
