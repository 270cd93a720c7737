extension Signature {
  /// Which of `caller`, `kwargs`, and `varargs` the body reads without setting it before and without a parameter for it.
  var specialNames: [String] {
    var search = NameSearch(open: ["caller", "kwargs", "varargs"])
    search.visit(body.statements)
    let taken = Set(parameters.map(\.name)).subtracting(["caller"])
    return ["caller", "kwargs", "varargs"].filter { search.found.contains($0) && !taken.contains($0) }
  }
}

/// Looks for names that are read before they are set, in the order in which a template is written.
struct NameSearch {
  var open: Set<String>
  var found: Set<String> = []

  mutating func visit(_ statements: [Statement]) { for statement in statements { visit(statement) } }

  private mutating func visit(_ statement: Statement) {
    switch statement.kind {
    case .text, .leave, .block: break
    case .output(let expression), .external(let expression): visit(expression)
    case .loop(let loop):
      set(loop.target)
      visit(loop.items)
      visit(loop.body.statements)
      visit(loop.otherwise.statements)
      if let test = loop.test { visit(test) }
    case .branch(let cases, let otherwise):
      for item in cases {
        visit(item.test)
        visit(item.body)
      }
      visit(otherwise)
    case .set(let target, let value):
      set(target)
      visit(value)
    case .setBlock(let target, let filter, let body):
      set(target)
      if let filter { visit(filter) }
      visit(body.statements)
    case .macro(let signature), .generation(let signature): visit(signature)
    case .call(let signature, let call):
      visit(call)
      visit(signature)
    case .filter(let filter, let body):
      visit(body.statements)
      visit(filter)
    case .with(let values, let body):
      for value in values { set(value.target) }
      for value in values { visit(value.value) }
      visit(body.statements)
    }
  }

  private mutating func visit(_ signature: Signature) {
    for parameter in signature.parameters { open.remove(parameter.name) }
    for parameter in signature.parameters { if let standard = parameter.standard { visit(standard) } }
    visit(signature.body.statements)
  }

  private mutating func visit(_ expression: Expression) {
    if case .name(let name) = expression.kind, open.contains(name) { found.insert(name) }
    for child in expression.kind.children { visit(child) }
  }

  private mutating func set(_ target: Target) { for name in target.names { open.remove(name) } }
}
