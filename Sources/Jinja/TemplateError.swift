/// What is wrong with a template, or with what it does to its values; the kinds are those that Python's Jinja tells apart.
package struct TemplateError: Error, Hashable, Sendable, CustomStringConvertible {
  package enum Kind: String, Hashable, Sendable {
    case syntax = "TemplateSyntaxError"
    /// Found when the template is read, but not by its grammar: an unknown filter.
    case assertion = "TemplateAssertionError"
    /// The template called `raise_exception`.
    case raised = "TemplateError"
    case runtime = "TemplateRuntimeError"
    case undefined = "UndefinedError"
    case security = "SecurityError"
    case filterArgument = "FilterArgumentError"
    case type = "TypeError"
    case value = "ValueError"
    case key = "KeyError"
    case index = "IndexError"
    case attribute = "AttributeError"
    case zeroDivision = "ZeroDivisionError"
    case overflow = "OverflowError"
    case assertionFailed = "AssertionError"
    /// More steps, depth, or text than the limits allow.
    case limit = "limit"
    /// Part of the language or of Python that is not implemented.
    case unsupported = "unsupported"
  }

  package let kind: Kind
  package let message: String
  /// Line of the template, from 1.
  package internal(set) var line: Int?

  package init(_ kind: Kind, _ message: String, line: Int? = nil) {
    self.kind = kind
    self.message = message
    self.line = line
  }

  package var description: String { line.map { "line \($0): \(message)" } ?? message }
}
