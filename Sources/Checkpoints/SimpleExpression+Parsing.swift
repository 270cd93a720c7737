import ModelFiles

/// Reads the text of a ``SimpleExpression``.
struct SimpleExpressionParser {
  private(set) var nodes: [SimpleExpression.Node] = []
  private let bytes: [UInt8]
  private let key: String
  private var index = 0
  private var operators = 0

  init(_ text: String, key: String) throws {
    self.key = key
    bytes = Array(text.utf8)
    guard bytes.count <= SimpleExpression.maximumBytes else {
      throw ModelFileError(
        .tooLarge,
        "'\(key)': an expression of \(bytes.count) bytes, the limit is \(SimpleExpression.maximumBytes)")
    }
  }

  /// The place of the whole expression's node.
  mutating func parse() throws -> Int {
    let root = try alternatives(depth: 0)
    guard index == bytes.count else { throw refuse("a ')' without '('") }
    return root
  }

  private func refuse(_ what: String) -> ModelFileError {
    ModelFileError(.unsupported, "'\(key)': \(what) at byte \(index) of the regular expression is not supported")
  }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func take(_ text: String) -> Bool {
    guard bytes[index...].starts(with: text.utf8) else { return false }
    index += text.utf8.count
    return true
  }

  private mutating func append(_ node: SimpleExpression.Node) -> Int {
    nodes.append(node)
    return nodes.count - 1
  }

  private mutating func countOperator() throws {
    operators += 1
    guard operators <= SimpleExpression.maximumOperators else {
      throw refuse("operator number \(operators) (the limit is \(SimpleExpression.maximumOperators))")
    }
  }

  // MARK: Structure

  private mutating func alternatives(depth: Int) throws -> Int {
    guard depth <= SimpleExpression.maximumDepth else {
      throw refuse("a group more than \(SimpleExpression.maximumDepth) deep")
    }
    var choices = [try sequence(depth: depth)]
    while next == UInt8(ascii: "|") {
      index += 1
      choices.append(try sequence(depth: depth))
    }
    return choices.count == 1 ? choices[0] : append(.choice(choices))
  }

  private mutating func sequence(depth: Int) throws -> Int {
    var parts: [Int] = []
    // Characters one after the other are one part, unless the last of them is repeated.
    var literal: [UInt8] = []
    func isRepeated(_ byte: UInt8?) -> Bool { byte.map { "*+?{".utf8.contains($0) } ?? false }
    while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
      let before = index
      if let plain = try plainCharacter() {
        guard isRepeated(next) else {
          literal.append(plain)
          continue
        }
        index = before
      }
      if !literal.isEmpty { parts.append(append(.literal(literal))) }
      literal = []
      let part = try atom(depth: depth)
      parts.append(try repetitions(of: part))
    }
    if !literal.isEmpty { parts.append(append(.literal(literal))) }
    return parts.count == 1 ? parts[0] : append(.sequence(parts))
  }

  private mutating func repetitions(of part: Int) throws -> Int {
    guard let (minimum, maximum) = try quantifier() else { return part }
    switch nodes[part] {
    case .start, .end, .wordBoundary, .look: throw refuse("a repeated position")
    default: break
    }
    try countOperator()
    // Lazy or greedy: the same language.
    if next == UInt8(ascii: "?") { index += 1 }
    let before = index
    if let byte = next, "*+?".utf8.contains(byte) { throw refuse("a repeated repetition") }
    if try quantifier() != nil {
      index = before
      throw refuse("a repeated repetition")
    }
    return append(.repetition(part, minimum: minimum, maximum: maximum))
  }

  private mutating func quantifier() throws -> (minimum: Int, maximum: Int?)? {
    switch next {
    case UInt8(ascii: "*"):
      index += 1
      return (0, nil)
    case UInt8(ascii: "+"):
      index += 1
      return (1, nil)
    case UInt8(ascii: "?"):
      index += 1
      return (0, 1)
    case UInt8(ascii: "{"): return try counts()
    default: return nil
    }
  }

  /// `{m}`, `{m,}`, `{,n}` or `{m,n}`; nil where the brace is a plain character, as in Python.
  private mutating func counts() throws -> (minimum: Int, maximum: Int?)? {
    guard let close = bytes[index...].firstIndex(of: UInt8(ascii: "}")) else { return nil }
    let parts = bytes[(index + 1)..<close].split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), !(parts.count == 1 && parts[0].isEmpty),
      parts.joined().allSatisfy({ (0x30...0x39).contains($0) })
    else { return nil }
    func number(_ digits: ArraySlice<UInt8>) throws -> Int {
      guard let value = Int(String(decoding: digits, as: UTF8.self)), value <= SimpleExpression.maximumCount else {
        throw refuse("a count of more than \(SimpleExpression.maximumCount)")
      }
      return value
    }
    let minimum = parts[0].isEmpty ? 0 : try number(parts[0])
    let maximum = parts.count == 1 ? minimum : parts[1].isEmpty ? nil : try number(parts[1])
    guard maximum.map({ $0 >= minimum }) ?? true else { throw refuse("a count that ends before it begins") }
    index = close + 1
    return (minimum, maximum)
  }

  private mutating func atom(depth: Int) throws -> Int {
    guard let byte = next else { throw refuse("an end") }
    switch byte {
    case UInt8(ascii: "("): return try group(depth: depth)
    case UInt8(ascii: "["): return append(.character(try characterClass()))
    case UInt8(ascii: "."):
      index += 1
      return append(.character((0..<256).map { $0 != 0x0A }))
    case UInt8(ascii: "^"):
      index += 1
      return append(.start)
    case UInt8(ascii: "$"):
      index += 1
      return append(.end)
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw refuse("a repetition of nothing")
    case UInt8(ascii: "\\"):
      if let position = positionEscape() { return append(position) }
      if let members = classEscape() { return append(.character(members)) }
    default: break
    }
    guard let plain = try plainCharacter() else { throw refuse("an escape") }
    return append(.literal([plain]))
  }

  private mutating func group(depth: Int) throws -> Int {
    var look: (ahead: Bool, wanted: Bool)?
    if take("(?=") {
      look = (true, true)
    } else if take("(?!") {
      look = (true, false)
    } else if take("(?<=") {
      look = (false, true)
    } else if take("(?<!") {
      look = (false, false)
    } else if !take("(?:") {
      index += 1
      if next == UInt8(ascii: "?") { throw refuse("a group with flags or a name") }
    }
    if look != nil { try countOperator() }
    let inner = try alternatives(depth: depth + 1)
    guard take(")") else { throw refuse("an open group") }
    return look.map { append(.look(inner, ahead: $0.ahead, wanted: $0.wanted)) } ?? inner
  }

  // MARK: Characters

  /// A character that stands for itself, written plainly or escaped; nil where something else follows.
  private mutating func plainCharacter() throws -> UInt8? {
    guard let byte = next else { return nil }
    if byte == UInt8(ascii: "\\") {
      guard index + 1 < bytes.count else { throw refuse("a backslash at the end") }
      let escaped = bytes[index + 1]
      guard let plain = Self.escaped(escaped) else {
        // Classes and positions are read elsewhere; \1, \x41, \p and the like nowhere.
        guard "dDwWsSbBAZ".utf8.contains(escaped) else { throw refuse("an escape") }
        return nil
      }
      index += 2
      return plain
    }
    if "()[.^$*+?|".utf8.contains(byte) { return nil }
    if byte == UInt8(ascii: "{") {
      let before = index
      defer { index = before }
      if try counts() != nil { throw refuse("a repetition of nothing") }
    }
    index += 1
    return byte
  }

  private static func escaped(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "t"): 0x09
    case UInt8(ascii: "n"): 0x0A
    case UInt8(ascii: "v"): 0x0B
    case UInt8(ascii: "f"): 0x0C
    case UInt8(ascii: "r"): 0x0D
    case UInt8(ascii: "a"): 0x07
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: nil
    default: byte
    }
  }

  private mutating func positionEscape() -> SimpleExpression.Node? {
    if take("\\b") { return .wordBoundary(true) }
    if take("\\B") { return .wordBoundary(false) }
    if take("\\A") { return .start }
    if take("\\Z") { return .end }
    return nil
  }

  private mutating func classEscape() -> [Bool]? {
    if take("\\d") { return Self.digits }
    if take("\\D") { return Self.digits.map { !$0 } }
    if take("\\w") { return Self.word }
    if take("\\W") { return Self.word.map { !$0 } }
    if take("\\s") { return Self.space }
    if take("\\S") { return Self.space.map { !$0 } }
    return nil
  }

  private mutating func characterClass() throws -> [Bool] {
    index += 1
    let isNegated = take("^")
    var members = [Bool](repeating: false, count: 256)
    var isFirst = true
    while let byte = next, byte != UInt8(ascii: "]") || isFirst {
      isFirst = false
      if byte == UInt8(ascii: "\\"), let escape = classEscape() {
        for value in 0..<256 where escape[value] { members[value] = true }
        continue
      }
      let low = try classMember()
      guard next == UInt8(ascii: "-"), index + 1 < bytes.count, bytes[index + 1] != UInt8(ascii: "]") else {
        members[Int(low)] = true
        continue
      }
      index += 1
      let high = try classMember()
      guard low <= high else { throw refuse("a range that ends before it begins") }
      for value in low...high { members[Int(value)] = true }
    }
    guard take("]") else { throw refuse("an open class") }
    return isNegated ? members.map { !$0 } : members
  }

  private mutating func classMember() throws -> UInt8 {
    guard let byte = next, byte < 0x80 else { throw refuse("a class with characters beyond ASCII") }
    guard byte == UInt8(ascii: "\\") else {
      index += 1
      return byte
    }
    guard index + 1 < bytes.count, let plain = Self.escaped(bytes[index + 1]) else { throw refuse("an escape") }
    index += 2
    return plain
  }

  private static let digits = (0..<256).map { (0x30...0x39).contains($0) }
  static let word = (0..<256).map { value in
    (0x30...0x39).contains(value) || (0x41...0x5A).contains(value) || (0x61...0x7A).contains(value) || value == 0x5F
  }
  private static let space = (0..<256).map {
    [0x20, 0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x1C, 0x1D, 0x1E, 0x1F].contains($0)
  }
}
