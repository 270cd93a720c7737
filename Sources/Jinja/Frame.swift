/// The names of a scope while it runs.
final class Frame {
  let scope: Scope
  let outer: Frame?
  /// The outermost scope: what is set here, blocks see.
  let isToplevel: Bool
  private var values: [String: Value] = [:]
  /// Whether the interpreter empties it at the end.
  var isKept = false

  init(_ scope: Scope, in outer: Frame?, isToplevel: Bool = false) {
    self.scope = scope
    self.outer = outer
    self.isToplevel = isToplevel
  }

  /// The value of a name; nil where it has none yet.
  subscript(name: String) -> Value? {
    get {
      var frame: Frame? = self
      while let next = frame {
        if next.scope[name] != nil { return next.values[name] }
        frame = next.outer
      }
      return nil
    }
    set { values[name] = newValue }
  }

  /// Gives names their first values.
  ///
  /// Those of parameters stay.
  func enter(_ interpreter: Interpreter) {
    for (name, load) in scope {
      switch load {
      case .parameter: break
      case .resolve: values[name] = interpreter.resolve(name)
      case .outer: values[name] = outer?[name]
      case .undefined: values[name] = nil
      }
    }
  }

  func leave() { values = [:] }
}
