/// JSON text that is not valid, or does not hold what was asked for.
package struct JSONError: Error, Hashable, Sendable, CustomStringConvertible {
  /// What is wrong, and where: line and column, or the key.
  package let message: String

  package init(_ message: String) { self.message = message }

  package var description: String { message }
}
