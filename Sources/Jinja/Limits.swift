/// What a template may use, so that none of them holds up or fills the machine.
package struct Limits: Hashable, Sendable {
  /// Expressions and statements evaluated, items passed on, and text made (a step for every 16 characters).
  package var steps: Int
  /// Nested expressions, statements, and calls.
  package var depth: Int
  /// Characters of one text, and items of one list.
  package var size: Int

  package init(steps: Int = 20_000_000, depth: Int = 1000, size: Int = 8 << 20) {
    self.steps = steps
    self.depth = depth
    self.size = size
  }

  /// Nested brackets and blocks that the parser follows.
  static let nesting = 100
  /// Operators, calls, and brackets one inside of the other.
  static let height = 250
  /// Lists and iterators one inside of the other: letting go of them takes a level of the stack for each.
  static let valueHeight = 1000
  /// Binary digits of an integer: more than Python prints.
  static let bits = 20_000
  /// Items of a range, as in Jinja's sandbox.
  static let range = 100_000
}
