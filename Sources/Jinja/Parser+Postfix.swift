extension Parser {
  mutating func postfix(_ expression: Expression) throws -> Expression {
    var result = expression
    while current.isSign(".") || current.isSign("[") || current.isSign("(") {
      result = try current.isSign("(") ? call(result) : subscripted(result)
    }
    return result
  }

  mutating func filters(_ expression: Expression) throws -> Expression {
    var result = expression
    while true {
      if current.isSign("|") {
        result = try filter(result, isFirst: false)
      } else if current.isName("is") {
        result = try test(result)
      } else if current.isSign("(") {
        result = try call(result)
      } else {
        return result
      }
    }
  }

  private mutating func call(_ expression: Expression) throws -> Expression {
    let line = current.line
    return try make(.call(expression, try callArguments()), line: line)
  }

  private mutating func subscripted(_ expression: Expression) throws -> Expression {
    let token = advance()
    if token.isSign(".") {
      let attribute = advance()
      if attribute.kind == .name {
        return try make(.attribute(expression, attribute.written), line: token.line)
      }
      guard attribute.kind == .integer else { throw failure("expected name or number", line: attribute.line) }
      let index = try make(.constant(.integer(try integer(attribute))), line: attribute.line)
      return try make(.item(expression, index), line: token.line)
    }
    var arguments: [Expression] = []
    while !current.isSign("]") {
      if !arguments.isEmpty { try expect(sign: ",") }
      arguments.append(try subscripting())
    }
    try expect(sign: "]")
    let index = arguments.count == 1 ? arguments[0] : try make(.tuple(arguments), line: token.line)
    return try make(.item(expression, index), line: token.line)
  }

  /// An index or a slice.
  private mutating func subscripting() throws -> Expression {
    let line = current.line
    var start: Expression?
    if !current.isSign(":") {
      let index = try expression()
      guard current.isSign(":") else { return index }
      start = index
    }
    try expect(sign: ":")
    func isBound(_ parser: Parser) -> Bool {
      !parser.current.isSign(":") && !parser.current.isSign("]") && !parser.current.isSign(",")
    }
    let stop = isBound(self) ? try expression() : nil
    var step: Expression?
    if skip(sign: ":"), isBound(self) { step = try expression() }
    return try make(.slice(start: start, stop: stop, step: step), line: line)
  }

  mutating func callArguments() throws -> CallArguments {
    let line = current.line
    try expect(sign: "(")
    var arguments = CallArguments()
    var isFirst = true
    func ensure(_ condition: Bool) throws {
      if !condition { throw failure("invalid syntax for function call expression", line: line) }
    }
    while !current.isSign(")") {
      if !isFirst {
        try expect(sign: ",")
        if current.isSign(")") { break }
      }
      isFirst = false
      if skip(sign: "*") {
        try ensure(arguments.list == nil && arguments.mapping == nil)
        arguments.list = try expression()
      } else if skip(sign: "**") {
        try ensure(arguments.mapping == nil)
        arguments.mapping = try expression()
      } else if current.kind == .name, following.isSign("=") {
        try ensure(arguments.mapping == nil)
        let name = advance().written
        advance()
        arguments.named.append((name, try expression()))
      } else {
        try ensure(arguments.list == nil && arguments.mapping == nil && arguments.named.isEmpty)
        arguments.positional.append(try expression())
      }
    }
    try expect(sign: ")")
    return arguments
  }

  /// One or more filters; the first without a bar in a block.
  mutating func filter(_ expression: Expression?, isFirst: Bool) throws -> Expression {
    var result = expression
    var isFirst = isFirst
    repeat {
      if !isFirst { try expect(sign: "|") }
      isFirst = false
      let token = try expect(.name, "name")
      let name = try dotted(token)
      let arguments = current.isSign("(") ? try callArguments() : CallArguments()
      result = try make(.filter(result, name, arguments), line: token.line)
    } while current.isSign("|")
    // The loop runs at least once.
    return try result ?? make(.constant(.none), line: current.line)
  }

  private mutating func dotted(_ token: Token) throws -> String {
    var name = token.written
    while skip(sign: ".") { name += try ".\(expect(.name, "name").written)" }
    return name
  }

  private mutating func test(_ expression: Expression) throws -> Expression {
    let line = advance().line
    let isNegated = skip(name: "not")
    let name = try dotted(expect(.name, "name"))
    var arguments = CallArguments()
    if current.isSign("(") {
      arguments = try callArguments()
    } else if startsOperand {
      if current.isName("is") { throw failure("You cannot chain multiple tests with is") }
      arguments.positional = [try postfix(primary())]
    }
    let result = try make(.test(expression, name, arguments), line: line)
    return isNegated ? try make(.not(result), line: line) : result
  }

  private var startsOperand: Bool {
    switch current.kind {
    case .name: !["else", "or", "and"].contains(current.written)
    case .string, .integer, .double: true
    case .sign: current.isSign("[") || current.isSign("{")
    default: false
    }
  }
}
