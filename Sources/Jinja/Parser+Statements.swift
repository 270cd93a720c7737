extension Parser {
  mutating func statement() throws -> [Statement] {
    guard current.kind == .name else { throw failure("tag name expected") }
    let (name, line) = (current.written, current.line)
    tags.append(name)
    var isKnown = true
    defer { if isKnown { tags.removeLast() } }
    func one(_ kind: Statement.Kind) -> [Statement] { [Statement(kind: kind, line: line)] }
    switch name {
    case "for": return one(.loop(try forLoop()))
    case "if": return one(try branch())
    case "set": return one(try assignment())
    case "with": return one(try with())
    case "macro":
      advance()
      let name = try expect(.name, "name").written
      return one(.macro(try signature(name, until: "endmacro")))
    case "call": return one(try callBlock())
    case "filter":
      advance()
      let filter = try self.filter(nil, isFirst: true)
      return one(.filter(filter, try scopedBody(until: "endfilter")))
    case "generation":
      advance()
      return one(.generation(Signature(name: nil, parameters: [], body: try scopedBody(until: "endgeneration"))))
    case "print": return try printed(line)
    case "block": return one(try block())
    case "break", "continue":
      advance()
      return one(.leave(continuing: name == "continue"))
    case "include", "import", "extends", "from": return one(.external(try external(name)))
    case "autoescape": throw failure("the tag 'autoescape' is not supported", .unsupported)
    default:
      tags.removeLast()
      isKnown = false
      throw unknownTag(name, ends)
    }
  }

  private mutating func forLoop() throws -> ForLoop {
    advance()
    let target = try self.target(until: "in")
    try expect(name: "in")
    let items = try tuple(hasConditions: false, until: "recursive")
    let test = skip(name: "if") ? try expression() : nil
    let isRecursive = skip(name: "recursive")
    let (testScope, scope, elseScope) = (newScope(), newScope(), newScope())
    let body = Body(scope: scope, statements: try self.body(until: ["endfor", "else"]))
    var otherwise: [Statement] = []
    if advance().written == "else" {
      otherwise = try self.body(until: ["endfor"])
      advance()
    }
    return ForLoop(
      target: target, items: items, test: test, testScope: testScope, isRecursive: isRecursive, body: body,
      otherwise: Body(scope: elseScope, statements: otherwise))
  }

  private mutating func branch() throws -> Statement.Kind {
    advance()
    var cases: [(test: Expression, body: [Statement])] = []
    while true {
      let test = try tuple(hasConditions: false)
      cases.append((test, try body(until: ["elif", "else", "endif"])))
      switch advance().written {
      case "elif": continue
      case "else":
        let otherwise = try body(until: ["endif"])
        advance()
        return .branch(cases, otherwise: otherwise)
      default: return .branch(cases, otherwise: [])
      }
    }
  }

  private mutating func assignment() throws -> Statement.Kind {
    advance()
    let target = try self.target(hasNamespaces: true)
    if skip(sign: "=") { return .set(target, try tuple()) }
    let filter: Expression? = current.isSign("|") ? try self.filter(nil, isFirst: false) : nil
    return .setBlock(target, filter: filter, try scopedBody(until: "endset"))
  }

  private mutating func with() throws -> Statement.Kind {
    advance()
    var values: [(target: Target, value: Expression)] = []
    while current.kind != .blockEnd {
      if !values.isEmpty { try expect(sign: ",") }
      let target = try self.target()
      try expect(sign: "=")
      values.append((target, try expression()))
    }
    return .with(values, try scopedBody(until: "endwith"))
  }

  private mutating func signature(_ name: String?, until end: String) throws -> Signature {
    let parameters = try self.parameters()
    return Signature(name: name, parameters: parameters, body: try scopedBody(until: end))
  }

  private mutating func parameters() throws -> [(name: String, standard: Expression?)] {
    var parameters: [(name: String, standard: Expression?)] = []
    try expect(sign: "(")
    while !current.isSign(")") {
      if !parameters.isEmpty { try expect(sign: ",") }
      let name = try expect(.name, "name")
      guard !Self.literals.contains(name.written) else { throw failure("can't assign to 'name'", line: name.line) }
      if skip(sign: "=") {
        parameters.append((name.written, try expression()))
      } else {
        if parameters.contains(where: { $0.standard != nil }) {
          throw failure("non-default argument follows default argument")
        }
        parameters.append((name.written, nil))
      }
    }
    try expect(sign: ")")
    return parameters
  }

  private mutating func callBlock() throws -> Statement.Kind {
    let line = advance().line
    let parameters = current.isSign("(") ? try self.parameters() : []
    let call = try expression()
    guard case .call = call.kind else { throw failure("expected call", line: line) }
    return .call(Signature(name: nil, parameters: parameters, body: try scopedBody(until: "endcall")), call)
  }

  private mutating func printed(_ line: Int) throws -> [Statement] {
    advance()
    var result: [Statement] = []
    while current.kind != .blockEnd {
      if !result.isEmpty { try expect(sign: ",") }
      result.append(Statement(kind: .output(try expression()), line: line))
    }
    return result
  }

  private mutating func block() throws -> Statement.Kind {
    advance()
    let name = try expect(.name, "name").written
    let isScoped = skip(name: "scoped")
    if skip(name: "required") { throw failure("required blocks need templates that extend this one", .unsupported) }
    if current.isSign("-") { throw failure("Block names in Jinja have to be valid Python identifiers") }
    let body = try scopedBody(until: "endblock")
    _ = skip(name: name)
    return .block(name, isScoped: isScoped, body)
  }

  /// The name of another template.
  ///
  /// What follows is read as far as it is needed to find the end of the tag.
  private mutating func external(_ tag: String) throws -> Expression {
    advance()
    let name = try expression()
    if tag == "import" || tag == "from" { try expect(name: tag == "from" ? "import" : "as") }
    while tag != "extends", current.kind == .name || current.isSign(",") { advance() }
    return name
  }

  // MARK: - Targets

  static let literals: Set<String> = ["true", "false", "none", "True", "False", "None"]

  mutating func target(until end: String? = nil, hasNamespaces: Bool = false) throws -> Target {
    if hasNamespaces, current.kind == .name, following.isSign("."), !Self.literals.contains(current.written) {
      let first = try namespaceTarget()
      return current.isSign(",") ? try restOfTuple([first], end, hasNamespaces) : first
    }
    let first = try targetItem(hasNamespaces)
    return current.isSign(",") ? try restOfTuple([first], end, hasNamespaces) : first
  }

  private mutating func restOfTuple(_ first: [Target], _ end: String?, _ hasNamespaces: Bool) throws -> Target {
    var items = first
    while skip(sign: ",") {
      if isEndOfTuple(end) || hasNamespaces && current.isSign("=") { break }
      items.append(try targetItem(hasNamespaces))
    }
    return .tuple(items)
  }

  private mutating func targetItem(_ hasNamespaces: Bool) throws -> Target {
    if hasNamespaces, current.kind == .name, following.isSign("."), !Self.literals.contains(current.written) {
      return try namespaceTarget()
    }
    return try target(of: primary())
  }

  private mutating func namespaceTarget() throws -> Target {
    let name = advance().written
    advance()
    return .attribute(name, try expect(.name, "name").written)
  }

  private func target(of expression: Expression) throws -> Target {
    switch expression.kind {
    case .name(let name): return .name(name)
    case .tuple(let items): return .tuple(try items.map { try target(of: $0) })
    case .constant: throw failure("can't assign to 'const'", line: expression.line)
    case .list: throw failure("can't assign to 'list'", line: expression.line)
    case .mapping: throw failure("can't assign to 'dict'", line: expression.line)
    default: throw failure("can't assign to an expression", line: expression.line)
    }
  }
}
