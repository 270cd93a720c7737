extension Parser {
  /// An expression of a limited height: what walks over it needs a level of the stack for each.
  func make(_ kind: Expression.Kind, line: Int) throws -> Expression {
    let expression = Expression(kind: kind, line: line)
    guard expression.height <= Limits.height else {
      throw failure("an expression of more than \(Limits.height) levels", line: line, .limit)
    }
    return expression
  }

  func isEndOfTuple(_ end: String?) -> Bool {
    if current.kind == .variableEnd || current.kind == .blockEnd || current.isSign(")") { return true }
    return end.map { current.isName($0) } ?? false
  }

  /// One expression, or several with commas between them.
  mutating func tuple(
    hasConditions: Bool = true, until end: String? = nil, isInBrackets: Bool = false
  ) throws -> Expression {
    var line = current.line
    var items: [Expression] = []
    var isTuple = false
    while true {
      if !items.isEmpty { try expect(sign: ",") }
      if isEndOfTuple(end) { break }
      items.append(try hasConditions ? expression() : deeper { try $0.or() })
      guard current.isSign(",") else { break }
      isTuple = true
      line = current.line
    }
    if !isTuple {
      if let first = items.first { return first }
      if !isInBrackets {
        throw failure("Expected an expression, got \(Text(current.description).quoted.string)")
      }
    }
    return try make(.tuple(items), line: line)
  }

  mutating func expression() throws -> Expression { try deeper { try $0.condition() } }

  private mutating func condition() throws -> Expression {
    var line = current.line
    var result = try or()
    while skip(name: "if") {
      let test = try or()
      let otherwise = skip(name: "else") ? try expression() : nil
      result = try make(.condition(test: test, then: result, otherwise: otherwise), line: line)
      line = current.line
    }
    return result
  }

  mutating func or() throws -> Expression {
    let line = current.line
    var left = try and()
    while skip(name: "or") { left = try make(.or(left, try and()), line: line) }
    return left
  }

  private mutating func and() throws -> Expression {
    let line = current.line
    var left = try not()
    while skip(name: "and") { left = try make(.and(left, try not()), line: line) }
    return left
  }

  private mutating func not() throws -> Expression {
    let line = current.line
    guard skip(name: "not") else { return try comparison() }
    return try make(.not(try deeper { try $0.not() }), line: line)
  }

  private mutating func comparison() throws -> Expression {
    let line = current.line
    let first = try sum()
    var rest: [(Comparison, Expression)] = []
    while true {
      if current.kind == .sign, let comparison = Comparison.signs[current.written] {
        advance()
        rest.append((comparison, try sum()))
      } else if skip(name: "in") {
        rest.append((.isIn, try sum()))
      } else if current.isName("not"), following.isName("in") {
        advance()
        advance()
        rest.append((.isNotIn, try sum()))
      } else {
        return rest.isEmpty ? first : try make(.comparison(first, rest), line: line)
      }
    }
  }

  private mutating func sum() throws -> Expression {
    let line = current.line
    var left = try concatenation()
    while let operation = arithmetic(["+", "-"]) {
      left = try make(.arithmetic(operation, left, try concatenation()), line: line)
    }
    return left
  }

  private mutating func concatenation() throws -> Expression {
    let line = current.line
    var parts = [try product()]
    while skip(sign: "~") { parts.append(try product()) }
    return parts.count == 1 ? parts[0] : try make(.concatenation(parts), line: line)
  }

  private mutating func product() throws -> Expression {
    let line = current.line
    var left = try power()
    while let operation = arithmetic(["*", "/", "//", "%"]) {
      left = try make(.arithmetic(operation, left, try power()), line: line)
    }
    return left
  }

  private mutating func power() throws -> Expression {
    let line = current.line
    var left = try unary()
    while let operation = arithmetic(["**"]) {
      left = try make(.arithmetic(operation, left, try unary()), line: line)
    }
    return left
  }

  private mutating func arithmetic(_ signs: [String]) -> Arithmetic? {
    guard current.kind == .sign, signs.contains(current.written) else { return nil }
    return Arithmetic(rawValue: advance().written)
  }

  private mutating func unary(hasFilters: Bool = true) throws -> Expression {
    let line = current.line
    var result: Expression
    if current.isSign("-") || current.isSign("+") {
      let isMinus = advance().written == "-"
      let operand = try deeper { try $0.unary(hasFilters: false) }
      result = try make(.negate(operand, isMinus: isMinus), line: line)
    } else {
      result = try primary()
    }
    result = try postfix(result)
    return hasFilters ? try filters(result) : result
  }

  mutating func primary() throws -> Expression {
    let token = current
    func constant(_ value: Constant) throws -> Expression { try make(.constant(value), line: token.line) }
    switch token.kind {
    case .name:
      advance()
      switch token.written {
      case "true", "True": return try constant(.bool(true))
      case "false", "False": return try constant(.bool(false))
      case "none", "None": return try constant(.none)
      default: return try make(.name(token.written), line: token.line)
      }
    case .string:
      var text = Text([])
      while current.kind == .string { text = text + advance().text }
      return try constant(.text(text))
    case .integer:
      advance()
      return try constant(.integer(try integer(token)))
    case .double:
      advance()
      return try constant(.double(Double(token.written) ?? .infinity))
    case .sign where token.written == "(":
      advance()
      let result = try tuple(isInBrackets: true)
      try expect(sign: ")")
      return result
    case .sign where token.written == "[": return try list()
    case .sign where token.written == "{": return try mapping()
    default: throw failure("unexpected \(Text(token.description).quoted.string)")
    }
  }

  func integer(_ token: Token) throws -> Integer {
    let text = token.written.lowercased()
    let radix = text.hasPrefix("0b") ? 2 : text.hasPrefix("0o") ? 8 : text.hasPrefix("0x") ? 16 : 10
    let digits = text.dropFirst(radix == 10 ? 0 : 2).unicodeScalars
    guard digits.count <= 4300, let value = Integer(digits: digits, radix: radix) else {
      throw failure("an integer with more than 4300 digits", line: token.line, .limit)
    }
    return value
  }

  private mutating func list() throws -> Expression {
    let line = advance().line
    var items: [Expression] = []
    while !current.isSign("]") {
      if !items.isEmpty { try expect(sign: ",") }
      if current.isSign("]") { break }
      items.append(try expression())
    }
    try expect(sign: "]")
    return try make(.list(items), line: line)
  }

  private mutating func mapping() throws -> Expression {
    let line = advance().line
    var items: [(key: Expression, value: Expression)] = []
    while !current.isSign("}") {
      if !items.isEmpty { try expect(sign: ",") }
      if current.isSign("}") { break }
      let key = try expression()
      try expect(sign: ":")
      items.append((key, try expression()))
    }
    try expect(sign: "}")
    return try make(.mapping(items), line: line)
  }
}
