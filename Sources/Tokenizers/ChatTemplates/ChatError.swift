import Jinja

/// A conversation that a chat template does not take, or a template that fails.
package struct ChatError: Error, Hashable, Sendable, CustomStringConvertible {
  package let message: String
  /// Line of the template, where it is the template that fails.
  package let line: Int?

  package init(_ message: String, line: Int? = nil) {
    self.message = message
    self.line = line
  }

  init(_ error: TemplateError) { self.init(error.message, line: error.line) }

  package var description: String { line.map { "line \($0) of the template: \(message)" } ?? message }
}
