/// Cuts a template into tokens, with a newline after a tag and the space before one dropped (`trim_blocks`,
/// `lstrip_blocks`).
struct Lexer {
  let source: [Unicode.Scalar]
  private(set) var position = 0
  private(set) var tokens: [Token] = []
  /// Number of the line at `countedTo`.
  private var line = 1
  private var countedTo = 0
  /// Whether a line begins after what was read last.
  private var startsLine = true
  private var brackets: [Unicode.Scalar] = []

  static func tokens(of template: Text) throws -> [Token] {
    var lexer = Lexer(source: normalized(template.scalars, dropsLast: true))
    try lexer.read()
    return lexer.tokens
  }

  private init(source: [Unicode.Scalar]) { self.source = source }

  /// Line ends of every kind as newlines, the last one of the template dropped.
  static func normalized(_ scalars: [Unicode.Scalar], dropsLast: Bool = false) -> [Unicode.Scalar] {
    var result: [Unicode.Scalar] = []
    for (index, scalar) in scalars.enumerated() {
      if scalar == "\n", index > 0, scalars[index - 1] == "\r" { continue }
      result.append(scalar == "\r" ? "\n" : scalar)
    }
    if dropsLast, result.last == "\n" { result.removeLast() }
    return result
  }

  // MARK: - Text and tags

  private mutating func read() throws {
    while position < source.count {
      guard let tag = nextTag(from: position) else {
        add(.data, position..<source.count)
        position = source.count
        break
      }
      let start = position
      let end = tag.sign == "-" ? trimmedEnd(start..<tag.start) : strippedEnd(start..<tag.start, tag)
      if end > start { add(.data, start..<end) }
      position = tag.end
      startsLine = source[position - 1] == "\n"
      switch tag.kind {
      case .raw: try readRaw()
      case .comment: try skipComment()
      case .block: try readTag(.blockBegin, .blockEnd, from: tag.start)
      case .variable: try readTag(.variableBegin, .variableEnd, from: tag.start)
      }
    }
    tokens.append(Token(kind: .end, text: Text([]), line: lineNumber(at: source.count)))
  }

  private enum TagKind { case raw, comment, block, variable }
  private struct Tag {
    let kind: TagKind
    let start, end: Int
    let sign: Unicode.Scalar?
  }

  private func nextTag(from start: Int) -> Tag? {
    var index = start
    while index + 1 < source.count {
      if source[index] == "{" {
        let signed = index + 2 < source.count && (source[index + 2] == "-" || source[index + 2] == "+")
        let end = index + (signed ? 3 : 2)
        let sign = signed ? source[index + 2] : nil
        switch source[index + 1] {
        case "%":
          let raw = endOfRawBegin(end) ?? (signed ? endOfRawBegin(index + 2) : nil)
          return Tag(kind: raw == nil ? .block : .raw, start: index, end: raw ?? end, sign: sign)
        case "{": return Tag(kind: .variable, start: index, end: end, sign: sign)
        case "#": return Tag(kind: .comment, start: index, end: end, sign: sign)
        default: break
        }
      }
      index += 1
    }
    return nil
  }

  private func endOfRawBegin(_ start: Int) -> Int? {
    guard let name = afterWord("raw", skipSpace(start)) else { return nil }
    let index = skipSpace(name)
    if isAt("-%}", index) { return skipSpace(index + 3) }
    return isAt("%}", index) ? index + 2 : nil
  }

  private func afterWord(_ word: String, _ index: Int) -> Int? {
    isAt(word, index) ? index + word.unicodeScalars.count : nil
  }

  private func trimmedEnd(_ range: Range<Int>) -> Int {
    var end = range.upperBound
    while end > range.lowerBound, source[end - 1].isSpace { end -= 1 }
    return end
  }

  /// Where text ends before a tag: at the beginning of the line, if only space is between.
  private func strippedEnd(_ range: Range<Int>, _ tag: Tag) -> Int {
    guard tag.sign == nil, tag.kind != .variable else { return range.upperBound }
    var begin = range.upperBound
    while begin > range.lowerBound, source[begin - 1] != "\n" { begin -= 1 }
    guard begin > range.lowerBound || startsLine else { return range.upperBound }
    return source[begin..<range.upperBound].allSatisfy(\.isSpace) ? begin : range.upperBound
  }

  private mutating func readRaw() throws {
    var index = position
    while index < source.count {
      if isAt("{%", index) {
        let signed = index + 2 < source.count && (source[index + 2] == "-" || source[index + 2] == "+")
        if let name = afterWord("endraw", skipSpace(index + (signed ? 3 : 2))),
          let end = endOfTag("%}", skipSpace(name))
        {
          let sign = signed ? source[index + 2] : nil
          let tag = Tag(kind: .block, start: index, end: end, sign: sign)
          let dataEnd = sign == "-" ? trimmedEnd(position..<index) : strippedEnd(position..<index, tag)
          if dataEnd > position { add(.data, position..<dataEnd) }
          position = end
          startsLine = source[end - 1] == "\n"
          return
        }
      }
      index += 1
    }
    if position < source.count {
      throw TemplateError(.syntax, "Missing end of raw directive", line: lineNumber(at: position))
    }
  }

  private mutating func skipComment() throws {
    var index = position
    while index < source.count {
      if let end = endOfTag("#}", index) {
        position = end
        startsLine = source[end - 1] == "\n"
        return
      }
      index += 1
    }
    if position < source.count {
      throw TemplateError(.syntax, "Missing end of comment tag", line: lineNumber(at: position))
    }
  }

  /// The end of a tag that ends here, with what goes with it: space after `-`, else one newline, nothing after `+`.
  private func endOfTag(_ close: String, _ index: Int) -> Int? {
    if isAt("+" + close, index) { return index + 3 }
    if isAt("-" + close, index) { return skipSpace(index + 3) }
    guard isAt(close, index) else { return nil }
    return index + 2 < source.count && source[index + 2] == "\n" ? index + 3 : index + 2
  }

  // MARK: - Inside of tags

  private mutating func readTag(_ begin: Token.Kind, _ end: Token.Kind, from start: Int) throws {
    add(begin, start..<start)
    brackets = []
    while position < source.count {
      if brackets.isEmpty, let after = endOfTag(begin) {
        add(end, position..<position)
        startsLine = source[after - 1] == "\n"
        position = after
        return
      }
      try readToken()
    }
  }

  private func endOfTag(_ begin: Token.Kind) -> Int? {
    if begin == .blockBegin { return endOfTag("%}", position) }
    if isAt("-}}", position) { return skipSpace(position + 3) }
    return isAt("}}", position) ? position + 2 : nil
  }

  private mutating func readToken() throws {
    let scalar = source[position]
    if scalar.isSpace {
      position = skipSpace(position)
    } else if ("0"..."9").contains(scalar) {
      readNumber()
    } else if scalar.isWord || scalar.properties.isIDContinue {
      var end = position
      while end < source.count, source[end].isWord || source[end].properties.isIDContinue { end += 1 }
      guard scalar == "_" || scalar.properties.isIDStart else {
        throw TemplateError(.syntax, "Invalid character in identifier", line: lineNumber(at: position))
      }
      add(.name, position..<end)
      position = end
    } else if scalar == "'" || scalar == "\"" {
      try readString(scalar)
    } else {
      try readSign()
    }
  }

  private mutating func readSign() throws {
    let two = ["**", "//", "==", "!=", ">=", "<="].first { isAt($0, position) }
    guard let sign = two ?? (Self.signs.contains(source[position]) ? String(source[position]) : nil) else {
      throw unexpected
    }
    let scalar = source[position]
    switch scalar {
    case "(": brackets.append(")")
    case "[": brackets.append("]")
    case "{": brackets.append("}")
    case ")", "]", "}":
      guard let expected = brackets.popLast() else {
        throw TemplateError(.syntax, "unexpected '\(scalar)'", line: lineNumber(at: position))
      }
      guard expected == scalar else {
        throw TemplateError(.syntax, "unexpected '\(scalar)', expected '\(expected)'", line: lineNumber(at: position))
      }
    default: break
    }
    let end = position + sign.unicodeScalars.count
    add(.sign, position..<end)
    position = end
  }

  private static let signs: Set<Unicode.Scalar> = [
    "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
  ]

  var unexpected: TemplateError {
    let scalar = Text([source[position]]).quoted.string
    return TemplateError(.syntax, "unexpected char \(scalar) at \(position)", line: line)
  }

  // MARK: - Small things

  mutating func add(_ kind: Token.Kind, _ range: Range<Int>) {
    tokens.append(Token(kind: kind, text: Text(source[range]), line: lineNumber(at: range.lowerBound)))
  }

  mutating func add(_ kind: Token.Kind, _ text: Text, through end: Int) {
    tokens.append(Token(kind: kind, text: text, line: lineNumber(at: position)))
    position = end
  }

  /// The line of a place that is not before the last one that was asked for.
  mutating func lineNumber(at index: Int) -> Int {
    while countedTo < index {
      if source[countedTo] == "\n" { line += 1 }
      countedTo += 1
    }
    return line
  }

  func isAt(_ text: String, _ index: Int) -> Bool {
    var index = index
    for scalar in text.unicodeScalars {
      guard index < source.count, source[index] == scalar else { return false }
      index += 1
    }
    return true
  }

  func skipSpace(_ index: Int) -> Int {
    var index = index
    while index < source.count, source[index].isSpace { index += 1 }
    return index
  }
}
