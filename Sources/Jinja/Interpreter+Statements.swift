/// Whether a loop goes on as usual.
enum Flow { case on, leave, next }

extension Interpreter {
  func execute(_ statements: [Statement], _ frame: Frame) throws -> Flow {
    for statement in statements {
      do {
        let flow = try deeper {
          try step()
          return try execute(statement, frame)
        }
        if flow != .on { return flow }
      } catch var error as TemplateError {
        if error.line == nil { error.line = statement.line }
        throw error
      }
    }
    return .on
  }

  private func execute(_ statement: Statement, _ frame: Frame) throws -> Flow {
    switch statement.kind {
    case .text(let text): try write(text)
    case .output(let expression): try write(text(evaluate(expression, frame)))
    case .loop(let loop): return try run(loop, frame)
    case .branch(let cases, let otherwise):
      for item in cases where try evaluate(item.test, frame).isTrue { return try execute(item.body, frame) }
      return try execute(otherwise, frame)
    case .set(let target, let value):
      try check(target, frame)
      try assign(target, evaluate(value, frame), frame, exports: frame.isToplevel)
    case .setBlock(let target, let filter, let body):
      try assign(target, blockValue(filter, body, frame), frame, exports: frame.isToplevel)
    case .macro(let signature):
      let name = signature.name ?? ""
      let value = Value.macro(macro(signature, frame))
      frame[name] = value
      if frame.isToplevel { export(name, value) }
    case .call(let signature, let call):
      try write(written(evaluate(call: call, frame, caller: macro(signature, frame))))
    case .filter(let filter, let body): try write(written(blockValue(filter, body, frame)))
    case .with(let values, let body): return try with(values, body, frame)
    case .generation(let signature):
      let text = try text(call(macro(signature, frame), Arguments()))
      noteGenerated(text)
      try write(text)
    case .block(_, let isScoped, let body): try block(body, isScoped, frame)
    case .leave(let continuing): return continuing ? .next : .leave
    case .external(let name):
      _ = try evaluate(name, frame)
      throw TemplateError(.type, "no loader for this environment specified")
    }
    return .on
  }

  /// What a block gives is joined to what is around it, which only text can be.
  private func written(_ value: Value) throws -> Text {
    guard case .text(let text) = value else {
      throw TemplateError(.type, "a block must give a text: expected str instance, \(value.typeName) found")
    }
    return text
  }

  /// What a block wrote, after its filter.
  private func blockValue(_ filter: Expression?, _ body: Body, _ frame: Frame) throws -> Value {
    let inner = Frame(template.scopes[body.scope], in: frame)
    inner.enter(self)
    defer { inner.leave() }
    let written = Value.text(try captured { try self.runBody(body, inner) })
    guard let filter else { return written }
    return try evaluate(filter: filter, inner, block: written)
  }

  /// Runs the body of a block.
  ///
  /// Leaving a loop from inside of it drops what it wrote.
  private func runBody(_ body: Body, _ frame: Frame) throws {
    let flow = try execute(body.statements, frame)
    if flow != .on { throw LeavingBlock(flow: flow) }
  }

  private func with(_ values: [(target: Target, value: Expression)], _ body: Body, _ frame: Frame) throws -> Flow {
    let inner = Frame(template.scopes[body.scope], in: frame)
    inner.enter(self)
    defer { inner.leave() }
    for value in values { try assign(value.target, evaluate(value.value, frame), inner, exports: false) }
    return try execute(body.statements, inner)
  }

  /// A block sees what is set at the top, and with `scoped` the names around it.
  private func block(_ body: Body, _ isScoped: Bool, _ frame: Frame) throws {
    let inner = Frame(template.scopes[body.scope], in: nil)
    inner.enter(self)
    if isScoped {
      for (name, load) in inner.scope { if case .resolve = load, let value = frame[name] { inner[name] = value } }
    }
    _ = try execute(body.statements, inner)
    inner.leave()
  }

  // MARK: - Setting names

  /// Only namespaces have attributes that can be set; what is set comes after this.
  private func check(_ target: Target, _ frame: Frame) throws {
    for name in target.namespaces {
      guard case .namespace = frame[name] else {
        throw TemplateError(.runtime, "cannot assign attribute on non-namespace object")
      }
    }
  }

  private func macro(_ signature: Signature, _ frame: Frame) -> Macro {
    keep(frame)
    return Macro(signature, frame)
  }

  func assign(_ target: Target, _ value: Value, _ frame: Frame, exports: Bool) throws {
    // What grows does so by way of a name.
    guard value.height <= Limits.valueHeight else {
      throw TemplateError(.limit, "a value of more than \(Limits.valueHeight) levels")
    }
    switch target {
    case .name(let name):
      frame[name] = value
      if exports { export(name, value) }
    case .attribute(let name, let attribute):
      guard case .namespace(let namespace) = frame[name] else {
        throw TemplateError(.runtime, "cannot assign attribute on non-namespace object")
      }
      try Namespace.check(.text(Text(attribute)))
      namespace.members.set(.text(Text(attribute)), .text(Text(attribute)), value)
    case .tuple(let targets):
      for (target, item) in zip(targets, try unpacked(value, targets.count)) {
        try assign(target, item, frame, exports: exports)
      }
    }
  }

  func repacked(_ value: Value, for target: Target) throws -> Value {
    guard case .tuple(let targets) = target else { return value }
    let items = try unpacked(value, targets.count)
    return .tuple(TupleValue(try zip(targets, items).map { try repacked($1, for: $0) }))
  }

  private func unpacked(_ value: Value, _ count: Int) throws -> [Value] {
    guard value.isIterable else {
      throw TemplateError(.type, "cannot unpack non-iterable \(value.typeName) object")
    }
    let iterator = try iterate(value)
    var items: [Value] = []
    while items.count <= count, let item = try iterator.next() { items.append(item) }
    if items.count > count { throw TemplateError(.value, "too many values to unpack (expected \(count))") }
    if items.count < count {
      throw TemplateError(.value, "not enough values to unpack (expected \(count), got \(items.count))")
    }
    return items
  }
}

/// A loop is left from inside of a block.
struct LeavingBlock: Error { let flow: Flow }

extension Namespace {
  static func check(_ name: Value) throws {
    guard case .text(let text) = name, text.scalars.first == "_" else { return }
    throw TemplateError(
      .security,
      "Chat templates cannot store underscore-prefixed attributes on a namespace, but got \(text.quoted.string). "
        + "Please rename the attribute.")
  }
}
