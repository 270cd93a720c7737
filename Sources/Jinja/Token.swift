/// A piece of a template.
struct Token: Sendable {
  enum Kind: Hashable, Sendable {
    /// Text between tags.
    case data
    case blockBegin, blockEnd, variableBegin, variableEnd
    case name, string, integer, double
    /// A sign; its characters are the token's text.
    case sign
    case end
  }

  let kind: Kind
  let text: Text
  let line: Int

  /// A name or sign as it is written.
  var written: String { text.string }

  func isName(_ name: String) -> Bool { kind == .name && written == name }
  func isSign(_ sign: String) -> Bool { kind == .sign && written == sign }

  var description: String {
    switch kind {
    case .data: "template data / text"
    case .blockBegin: "begin of statement block"
    case .blockEnd: "end of statement block"
    case .variableBegin: "begin of print statement"
    case .variableEnd: "end of print statement"
    case .name, .sign: written
    case .string: "string"
    case .integer: "integer"
    case .double: "float"
    case .end: "end of template"
    }
  }
}
