import Foundation
import Personalization
import Report

/// The paper's Table 6 in small.
package enum ComparisonTable {
  private static let titles = [
    "base": "base, nothing added", "instructionTuning": "instruction tuning alone", "memory": "memory alone",
    "full": "memory + instruction tuning",
  ]

  package static func table(_ comparison: Comparison) -> TextTable {
    var table = TextTable([
      ("method", .left), ("loss", .right), ("ROUGE-1 %", .right), ("ROUGE-L %", .right), ("P-F1 %", .right),
      ("fact recall %", .right),
    ])
    for row in comparison.rows {
      let values = row.measurement.values
      table.add(
        [titles[row.name] ?? row.name]
          + ["loss", "rouge1", "rougeL", "personaF1", "factRecall"].map { name in
            values[name].map { StudySummary.value($0, name: name) } ?? "-"
          })
    }
    return table
  }

  package static func replies(_ comparison: Comparison) -> String {
    var lines = ["\(comparison.user) is asked: \(comparison.query)", "  right answer: \(comparison.reference)"]
    for row in comparison.rows {
      lines.append("  \(titles[row.name] ?? row.name): \(row.reply.trimmingCharacters(in: .whitespacesAndNewlines))")
    }
    return lines.joined(separator: "\n")
  }
}
