/// A macro, or the body of a call block, with the scope in which it was made.
package final class Macro {
  let signature: Signature
  let frame: Frame
  let special: Set<String>
  var name: String? { signature.name }
  var parameters: [(name: String, standard: Expression?)] { signature.parameters }

  init(_ signature: Signature, _ frame: Frame) {
    self.signature = signature
    self.frame = frame
    special = Set(signature.specialNames)
  }

  /// How messages name it.
  var quotedName: String { name.map { Text($0).quoted.string } ?? "None" }
}

extension Interpreter {
  func call(_ macro: Macro, _ arguments: Arguments) throws -> Value {
    let frame = Frame(template.scopes[macro.signature.body.scope], in: macro.frame)
    var (positional, named) = (arguments.positional[...], arguments.named)
    func take(_ name: String) -> Value? {
      guard let index = named.firstIndex(where: { $0.name == name }) else { return nil }
      return named.remove(at: index).value
    }
    var missing: [(name: String, standard: Expression?)] = []
    for parameter in macro.parameters {
      if let value = positional.popFirst() ?? take(parameter.name) {
        frame[parameter.name] = value
      } else {
        missing.append(parameter)
      }
    }
    let hasCallerParameter = macro.parameters.contains { $0.name == "caller" }
    if macro.special.contains("caller"), !hasCallerParameter {
      frame["caller"] = take("caller") ?? .undefined(Undefined(hint: "No caller defined"))
    }
    if macro.special.contains("kwargs") {
      frame["kwargs"] = Value(named.map { (key: $0.name, value: $0.value) })
    } else if let first = named.first {
      throw TemplateError(
        .type,
        named.contains { $0.name == "caller" }
          ? "macro \(macro.quotedName) was invoked with two values for the special caller argument. "
            + "This is most likely a bug."
          : "macro \(macro.quotedName) takes no keyword argument \(Text(first.name).quoted.string)")
    }
    if macro.special.contains("varargs") {
      frame["varargs"] = .tuple(TupleValue(Array(positional)))
    } else if !positional.isEmpty {
      throw TemplateError(
        .type, "macro \(macro.quotedName) takes not more than \(macro.parameters.count) argument(s)")
    }
    frame.enter(self)
    for parameter in missing {
      frame[parameter.name] =
        try parameter.standard.map { try evaluate($0, frame) }
        ?? .undefined(Undefined(hint: "parameter \(Text(parameter.name).quoted.string) was not provided"))
    }
    return .text(try captured { _ = try self.execute(macro.signature.body.statements, frame) })
  }
}
