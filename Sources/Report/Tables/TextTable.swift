import Foundations

/// A table for people (aligned text, Markdown) and programs (CSV); the same cells in each form.
///
/// Control characters in cells are escaped in every form (``PrintableText``): cells hold names and messages of workers.
package struct TextTable: Sendable {
  package enum Alignment: Sendable { case left, right }

  package let columns: [(title: String, alignment: Alignment)]
  package private(set) var rows: [[String]] = []

  package init(_ columns: [(title: String, alignment: Alignment)]) {
    self.columns = columns.map { (PrintableText.line($0.title), $0.alignment) }
  }

  /// Adds a row; missing cells are empty.
  package mutating func add(_ cells: [String]) {
    let filled = cells.map { PrintableText.line($0) } + Array(repeating: "", count: max(0, columns.count - cells.count))
    rows.append(Array(filled.prefix(columns.count)))
  }

  /// Aligned columns with a rule under the titles.
  package var text: String {
    let widths = columns.indices.map { column in
      max(columns[column].title.count, rows.map { $0[column].count }.max() ?? 0)
    }
    func line(_ cells: [String]) -> String {
      let padded = columns.indices.map { column in
        let space = String(repeating: " ", count: widths[column] - cells[column].count)
        return columns[column].alignment == .left ? cells[column] + space : space + cells[column]
      }
      var joined = padded.joined(separator: "  ")
      while joined.last == " " { joined.removeLast() }
      return joined
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
    return ([line(columns.map(\.title)), rule] + rows.map(line)).joined(separator: "\n")
  }

  /// GitHub-flavoured Markdown.
  package var markdown: String {
    func line(_ cells: [String]) -> String {
      "| "
        + cells.map { $0.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\\|") }
        .joined(separator: " | ") + " |"
    }
    let rule = "|" + columns.map { $0.alignment == .left ? " --- |" : " ---: |" }.joined()
    return ([line(columns.map(\.title)), rule] + rows.map(line)).joined(separator: "\n")
  }

  /// RFC 4180 with a header line.
  package var csv: String {
    func quote(_ cell: String) -> String {
      let needsQuotes = cell.contains { $0 == "," || $0 == "\"" || $0.isNewline }
      guard needsQuotes else { return cell }
      return "\"" + cell.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }
    return ([columns.map(\.title)] + rows).map { $0.map(quote).joined(separator: ",") }.joined(separator: "\n")
  }
}
