import Testing

/// Transitions as a table of words: inputs in the first line, states in the first column, `=` for the same state.
struct StateTable {
  struct Row: CustomTestStringConvertible, Sendable {
    var state: String
    var results: [(input: String, state: String)]
    var testDescription: String { state }
  }

  struct UnknownInput: Error { var name: String }

  var rows: [Row]

  init(_ text: String) {
    let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    let inputs = lines[0].dropFirst()
    rows = lines.dropFirst().map { Row(state: $0[0], results: Array(zip(inputs, $0.dropFirst()))) }
    precondition(lines.allSatisfy { $0.count == lines[0].count }, "a row of the table is incomplete")
  }
}
