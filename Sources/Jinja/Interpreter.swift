/// One rendering of a template.
package final class Interpreter {
  let template: Template
  let limits: Limits
  let clock: Clock
  /// Variables that were given, and those that were set at the top.
  private var variables: [String: Value]
  private var exported: [String: Value] = [:]

  /// What was written: to the result, and to the blocks inside of which something else is done with it.
  private(set) var output: [[Unicode.Scalar]] = [[]]
  /// What `generation` blocks wrote, as places in the result.
  private(set) var generated: [Range<Int>] = []
  private var steps = 0
  private var depth = 0
  private let stack = StackGuard()
  /// What may hold itself, to be emptied at the end.
  private var namespaces: [Namespace] = []
  private var macroFrames: [Frame] = []

  init(_ template: Template, _ variables: [String: Value], clock: Clock, limits: Limits) {
    self.template = template
    self.variables = variables
    self.clock = clock
    self.limits = limits
  }

  func run() throws -> Rendering {
    let frame = Frame(template.scopes[template.body.scope], in: nil, isToplevel: true)
    frame.enter(self)
    defer { release(frame) }
    _ = try execute(template.body.statements, frame)
    return Rendering(text: Text(output[0]), generated: generated)
  }

  func resolve(_ name: String) -> Value? { exported[name] ?? variables[name] ?? Globals.all[name]?() }

  func export(_ name: String, _ value: Value) { exported[name] = value }

  /// A macro holds the frame in which it was made, and the frame the macro.
  func keep(_ frame: Frame) {
    if frame.isKept { return }
    frame.isKept = true
    macroFrames.append(frame)
  }

  func keep(_ namespace: Namespace) { namespaces.append(namespace) }

  private func release(_ root: Frame) {
    root.leave()
    for frame in macroFrames { frame.leave() }
    for namespace in namespaces { namespace.members = MappingValue() }
    exported = [:]
  }

  // MARK: - Limits

  func step(_ count: Int = 1) throws {
    steps += count
    if steps > limits.steps { throw TemplateError(.limit, "the template takes more than \(limits.steps) steps") }
  }

  func deeper<T>(_ body: () throws -> T) throws -> T {
    depth += 1
    defer { depth -= 1 }
    guard depth <= limits.depth, !stack.isNearEnd else {
      throw TemplateError(.limit, "more than \(limits.depth) levels of expressions, blocks, and calls")
    }
    return try body()
  }

  var tooLarge: TemplateError {
    TemplateError(.limit, "a text, list, or number is larger than \(limits.size) allows")
  }

  func checked(_ text: Text) throws -> Text {
    guard text.count <= limits.size else { throw tooLarge }
    try step(text.count / 16)
    return text
  }

  func checked(_ items: [Value]) throws -> [Value] {
    guard items.count <= limits.size else { throw tooLarge }
    try step(items.count / 16)
    return items
  }

  // MARK: - Output

  func write(_ text: Text) throws {
    let end = output.count - 1
    guard output[end].count + text.count <= limits.size else { throw tooLarge }
    try step(text.count / 16)
    output[end] += text.scalars
  }

  /// What a body writes, as a text.
  func captured(_ body: () throws -> Void) throws -> Text {
    output.append([])
    do {
      try body()
    } catch {
      output.removeLast()
      throw error
    }
    return Text(output.removeLast())
  }

  func noteGenerated(_ text: Text) {
    let start = output[0].count
    generated.append(start..<(start + text.count))
  }
}
