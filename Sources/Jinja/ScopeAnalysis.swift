/// Where a name of a scope gets its value when the scope is entered.
enum Load: Sendable {
  case parameter
  /// From the variables that the template was given.
  case resolve
  /// From the scope around, to be changed here without effect there.
  case outer
  case undefined
}

/// The names of a scope; others are those of the scopes around it.
typealias Scope = [String: Load]

/// Finds which names each scope has of its own, as Jinja's compiler does: a name that is set anywhere in a scope is
/// its own from the beginning, and one that no scope around knows is looked up when the scope that reads it is entered.
struct ScopeAnalysis {
  private(set) var scopes: [Scope]

  static func scopes(of template: (body: Body, scopes: Int)) throws -> [Scope] {
    var analysis = ScopeAnalysis(scopes: Array(repeating: [:], count: template.scopes))
    let root = Names(nil)
    analysis.collect(template.body.statements, root)
    try analysis.finish(template.body, root, Place(isToplevel: true))
    return analysis.scopes
  }

  /// Names of a scope while they are found.
  final class Names {
    let outer: Names?
    var loads: Scope = [:]
    var stores: Set<String> = []

    init(_ outer: Names?) { self.outer = outer }

    func knows(_ name: String) -> Bool { loads[name] != nil || outer?.knows(name) ?? false }

    func load(_ name: String) { if !knows(name) { loads[name] = .resolve } }

    func store(_ name: String) {
      stores.insert(name)
      if loads[name] == nil { loads[name] = outer?.knows(name) ?? false ? .outer : .undefined }
    }

    func declare(_ name: String) {
      stores.insert(name)
      loads[name] = .parameter
    }

    func copy() -> Names {
      let copy = Names(outer)
      (copy.loads, copy.stores) = (loads, stores)
      return copy
    }

    /// Takes what branches have: a name that only they set may not be set, and has its value from outside then.
    func merge(_ branches: [Names]) {
      let added = branches.reduce(into: Set<String>()) { $0.formUnion($1.stores) }.subtracting(stores)
      for branch in branches {
        loads.merge(branch.loads) { $1 }
        stores.formUnion(branch.stores)
      }
      for name in added { loads[name] = outer?.knows(name) ?? false ? .outer : .resolve }
    }
  }

  /// What is around a statement.
  struct Place {
    var isToplevel = false
    /// In a branch, where unknown filters matter only when they are reached.
    var isSoft = false
    var isInLoop = false
    /// In a loop of any depth: nothing may set `loop` there.
    var keepsLoop = false

    var inner: Place { Place(isInLoop: isInLoop, keepsLoop: keepsLoop) }
    var function: Place { Place(keepsLoop: keepsLoop) }
    var soft: Place {
      var place = self
      place.isSoft = true
      return place
    }
  }

  // MARK: - Names of one scope

  private func collect(_ statements: [Statement], _ names: Names) { for item in statements { collect(item, names) } }

  private func collect(_ statement: Statement, _ names: Names) {
    switch statement.kind {
    case .text, .leave, .generation, .block: break
    case .output(let expression), .external(let expression): collect(expression, names)
    case .loop(let loop): collect(loop.items, names)
    case .branch(let cases, let otherwise): collect(cases[...], otherwise, names)
    case .set(let target, let value):
      collect(value, names)
      collect(target, names)
    case .setBlock(let target, _, _): collect(target, names)
    case .macro(let signature): names.store(signature.name ?? "")
    case .call(_, let call): collect(call, names)
    case .filter(let filter, _): collect(filter, names)
    case .with(let values, _): for value in values { collect(value.value, names) }
    }
  }

  private func collect(
    _ cases: ArraySlice<(test: Expression, body: [Statement])>, _ otherwise: [Statement], _ names: Names
  ) {
    guard let first = cases.first else { return }
    collect(first.test, names)
    let (body, others, last) = (names.copy(), names.copy(), names.copy())
    collect(first.body, body)
    for item in cases.dropFirst() { collect([item][...], [], others) }
    collect(otherwise, last)
    names.merge([body, others, last])
  }

  private func collect(_ expression: Expression, _ names: Names) {
    if case .name(let name) = expression.kind { names.load(name) }
    for child in expression.kind.children { collect(child, names) }
  }

  private func collect(_ target: Target, _ names: Names) {
    for name in target.namespaces { names.load(name) }
    for name in target.names { names.store(name) }
  }

  // MARK: - Scopes inside

  /// Notes the names of a scope, which are complete, and goes on to the scopes inside.
  private mutating func finish(_ body: Body, _ names: Names, _ place: Place) throws {
    scopes[body.scope] = names.loads
    for statement in body.statements { try descend(statement, names, place) }
  }

  private mutating func scoped(_ body: Body, _ outer: Names?, _ place: Place, parameters: [String] = []) throws {
    let names = Names(outer)
    for name in parameters { names.declare(name) }
    collect(body.statements, names)
    try finish(body, names, place)
  }

  private mutating func descend(_ statement: Statement, _ names: Names, _ place: Place) throws {
    let line = statement.line
    switch statement.kind {
    case .text: break
    case .output(let expression), .external(let expression): try check(expression, place.isSoft)
    case .loop(let loop): try descend(loop, names, place, line)
    case .branch(let cases, let otherwise):
      for item in cases {
        try check(item.test, true)
        for statement in item.body { try descend(statement, names, place.soft) }
      }
      for statement in otherwise { try descend(statement, names, place.soft) }
    case .set(let target, let value):
      try check(target, place, line)
      try check(value, place.isSoft)
    case .setBlock(let target, let filter, let body):
      try check(target, place, line)
      if let filter { try check(filter, false) }
      try scoped(body, names, place.inner, filter: filter)
    case .macro(let signature):
      try check(.name(signature.name ?? ""), Place(), line)
      try descend(signature, names, place, line)
    case .call(let signature, let call):
      try descend(signature, names, place, line)
      try check(call, place.isSoft)
    case .filter(let filter, let body):
      try check(filter, false)
      try scoped(body, names, place.inner, filter: filter)
    case .with(let values, let body):
      for value in values { try check(value.value, place.isSoft) }
      try scoped(body, names, place.inner, parameters: values.flatMap(\.target.names))
    case .generation(let signature): try descend(signature, names, place, line)
    case .block(_, _, let body): try scoped(body, nil, Place())
    case .leave: if !place.isInLoop { throw TemplateError(.syntax, "'break' or 'continue' outside loop", line: line) }
    }
  }

  /// The filter of a block is evaluated in the scope of the block.
  private mutating func scoped(_ body: Body, _ outer: Names, _ place: Place, filter: Expression?) throws {
    let names = Names(outer)
    if let filter { collect(filter, names) }
    collect(body.statements, names)
    try finish(body, names, place)
  }

  private mutating func descend(_ loop: ForLoop, _ names: Names, _ place: Place, _ line: Int) throws {
    var inner = place.inner
    (inner.isInLoop, inner.keepsLoop) = (true, true)
    try check(loop.items, place.isSoft)
    try check(loop.target, inner, line)
    if let test = loop.test {
      let testNames = Names(names)
      for name in loop.target.names { testNames.declare(name) }
      collect(test, testNames)
      scopes[loop.testScope] = testNames.loads
      try check(test, false)
    }
    try scoped(loop.body, names, inner, parameters: ["loop"] + loop.target.names)
    inner.isInLoop = place.isInLoop
    try scoped(loop.otherwise, names, inner)
  }

  private mutating func descend(_ signature: Signature, _ names: Names, _ place: Place, _ line: Int) throws {
    let inner = Names(names)
    for parameter in signature.parameters { inner.declare(parameter.name) }
    let special = signature.specialNames
    if special.contains("caller"), let parameter = signature.parameters.first(where: { $0.name == "caller" }),
      parameter.standard == nil
    {
      throw TemplateError(
        .assertion,
        #"When defining macros or call blocks the special "caller" argument must be omitted or be given a default."#,
        line: line)
    }
    for name in special { inner.declare(name) }
    for parameter in signature.parameters {
      guard let standard = parameter.standard else { continue }
      collect(standard, inner)
      try check(standard, false)
    }
    collect(signature.body.statements, inner)
    try finish(signature.body, inner, place.function)
  }

  // MARK: - What is wrong before anything runs

  private func check(_ target: Target, _ place: Place, _ line: Int) throws {
    guard place.keepsLoop, target.names.contains("loop") else { return }
    throw TemplateError(.assertion, "Can't assign to special loop variable in for-loop target", line: line)
  }

  private func check(_ expression: Expression, _ isSoft: Bool) throws {
    var isSoft = isSoft
    switch expression.kind {
    case .filter(_, let name, _):
      if !isSoft, Filters.all[name] == nil {
        throw TemplateError(.assertion, "No filter named \(Text(name).quoted.string).", line: expression.line)
      }
    case .test(_, let name, _):
      if !isSoft, Tests.all[name] == nil {
        throw TemplateError(.assertion, "No test named \(Text(name).quoted.string).", line: expression.line)
      }
    case .condition: isSoft = true
    default: break
    }
    for child in expression.kind.children { try check(child, isSoft) }
  }
}
