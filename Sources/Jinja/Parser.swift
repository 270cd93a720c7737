/// Reads tokens into statements and expressions.
struct Parser {
  private let tokens: [Token]
  private var index = 0
  private(set) var scopes = 0
  var depth = 0
  private let stack = StackGuard()
  var tags: [String] = []
  var ends: [[String]] = []

  init(_ tokens: [Token]) { self.tokens = tokens }

  static func parse(_ template: Text) throws -> (body: Body, scopes: Int) {
    var parser = Parser(try Lexer.tokens(of: template))
    let scope = parser.newScope()
    let statements = try parser.statements(until: [])
    return (Body(scope: scope, statements: statements), parser.scopes)
  }

  // MARK: - Tokens

  var current: Token { tokens[index] }
  var following: Token { tokens[min(index + 1, tokens.count - 1)] }

  @discardableResult
  mutating func advance() -> Token {
    let token = current
    if index < tokens.count - 1 { index += 1 }
    return token
  }

  mutating func skip(sign: String) -> Bool {
    guard current.isSign(sign) else { return false }
    advance()
    return true
  }

  mutating func skip(name: String) -> Bool {
    guard current.isName(name) else { return false }
    advance()
    return true
  }

  @discardableResult
  mutating func expect(_ kind: Token.Kind, _ description: String) throws -> Token {
    guard current.kind == kind else { throw missing(description) }
    return advance()
  }

  mutating func expect(sign: String) throws { if !skip(sign: sign) { throw missing(sign) } }
  mutating func expect(name: String) throws { if !skip(name: name) { throw missing(name) } }

  private func missing(_ description: String) -> TemplateError {
    if current.kind == .end { return failure("unexpected end of template, expected '\(description)'.") }
    return failure("expected token '\(description)', got \(Text(current.description).quoted.string)")
  }

  func failure(_ message: String, line: Int? = nil, _ kind: TemplateError.Kind = .syntax) -> TemplateError {
    TemplateError(kind, message, line: line ?? current.line)
  }

  mutating func newScope() -> Int {
    scopes += 1
    return scopes - 1
  }

  mutating func deeper<T>(_ body: (inout Parser) throws -> T) throws -> T {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Limits.nesting, !stack.isNearEnd else {
      throw failure("more than \(Limits.nesting) levels of brackets and blocks", .limit)
    }
    return try body(&self)
  }

  // MARK: - Text and tags

  /// Statements up to one of the end tags, which is left for the caller; up to the end of the template without any.
  mutating func statements(until endNames: [String]) throws -> [Statement] {
    try deeper { parser in
      if !endNames.isEmpty { parser.ends.append(endNames) }
      defer { if !endNames.isEmpty { parser.ends.removeLast() } }
      var result: [Statement] = []
      while parser.current.kind != .end {
        let token = parser.advance()
        switch token.kind {
        case .data: result.append(Statement(kind: .text(token.text), line: token.line))
        case .variableBegin:
          let line = parser.current.line
          let expression = try parser.tuple()
          try parser.expect(.variableEnd, "end of print statement")
          result.append(Statement(kind: .output(expression), line: line))
        default:
          if parser.current.kind == .name, endNames.contains(parser.current.written) { return result }
          result += try parser.statement()
          try parser.expect(.blockEnd, "end of statement block")
        }
      }
      return result
    }
  }

  /// The body of a statement.
  ///
  /// The end tag that was found is current afterwards.
  mutating func body(until endNames: [String]) throws -> [Statement] {
    _ = skip(sign: ":")
    try expect(.blockEnd, "end of statement block")
    let result = try statements(until: endNames)
    if current.kind == .end { throw unknownTag(nil, ends + [endNames]) }
    return result
  }

  mutating func scopedBody(until end: String) throws -> Body {
    let scope = newScope()
    let statements = try body(until: [end])
    advance()
    return Body(scope: scope, statements: statements)
  }

  /// The error for a tag that is not known here, or for the end of the template.
  func unknownTag(_ name: String?, _ ends: [[String]]) -> TemplateError {
    var parts = [name.map { "Encountered unknown tag '\($0)'." } ?? "Unexpected end of template."]
    if let last = ends.last {
      let wanted = last.map { "'\($0)'" }.joined(separator: " or ")
      if let name, ends.contains(where: { $0.contains(name) }) {
        parts.append(
          "You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for \(wanted).")
      } else {
        parts.append("Jinja was looking for the following tags: \(wanted).")
      }
    }
    if let tag = tags.last { parts.append("The innermost block that needs to be closed is '\(tag)'.") }
    return failure(parts.joined(separator: " "))
  }
}
