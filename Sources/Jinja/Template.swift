/// A template in the language of Jinja 2 as Transformers sets it up for chat templates: sandboxed and immutable,
/// `trim_blocks`, `lstrip_blocks`, loop controls, `generation` blocks, no files.
package struct Template: Sendable {
  let body: Body
  let scopes: [Scope]

  package init(_ source: String) throws {
    let parsed = try Parser.parse(Text(source))
    body = parsed.body
    scopes = try ScopeAnalysis.scopes(of: parsed)
  }

  /// The text that a template makes of variables.
  ///
  /// Throws ``TemplateError``.
  package func render(
    _ variables: [(key: String, value: Value)], clock: Clock = .now, limits: Limits = Limits()
  ) throws -> Rendering {
    let named = Dictionary(variables.map { ($0.key, $0.value) }) { $1 }
    do {
      return try Interpreter(self, named, clock: clock, limits: limits).run()
    } catch is LeavingBlock {
      throw TemplateError(.syntax, "'break' or 'continue' outside loop")
    }
  }
}

/// What a template wrote.
package struct Rendering: Sendable {
  package let text: Text
  /// What `generation` blocks wrote, as ranges of Unicode scalars of the text.
  package let generated: [Range<Int>]
}
