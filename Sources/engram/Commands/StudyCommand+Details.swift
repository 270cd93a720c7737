import Report
import Study

extension StudyCommand.ShowCommand {
  /// The base, the reference point, how the hypervolume grew and what the study was made from.
  static func details(_ summary: StudySummary) -> [String] {
    var lines: [String] = []
    if let base = summary.anchor?.result {
      let values = summary.objectives.compactMap { objective in
        base.objectives[objective.name].map { value in
          StudySummary.text(value, error: base.standardErrors?[objective.name], name: objective.name)
        }
      }
      lines.append("base without memory: \(values.joined(separator: ", "))")
    }
    if let point = summary.record.header.referencePoint {
      let values = summary.objectives.map { "\($0.name) \(PlotNumber.short(point[$0.name] ?? .nan))" }
      lines.append("reference point: \(values.joined(separator: ", "))")
    }
    if let history = history(summary.hypervolumeTrials) { lines.append("hypervolume after trial \(history)") }
    let fingerprints = summary.record.definition.fingerprints.sorted { $0.key < $1.key }
    if !fingerprints.isEmpty {
      lines.append("fingerprints: \(fingerprints.map { "\($0.key) \($0.value.prefix(12))" }.joined(separator: ", "))")
    }
    return lines.map(PrintableText.line)
  }

  /// Most steps of the hypervolume's history in the table; all are in the JSON.
  static let longestHistory = 8

  /// Where the hypervolume grew, as in "1: 0.20, 4: 0.31": of many steps the last ones; nil before the first.
  static func history(_ values: [(number: Int, value: Double)]) -> String? {
    guard !values.isEmpty else { return nil }
    let steps = values.indices.filter { $0 == 0 || values[$0].value != values[$0 - 1].value }
    let shown = steps.suffix(longestHistory).map { "\(values[$0].number): \(PlotNumber.short(values[$0].value))" }
    return (steps.count > longestHistory ? "…, " : "") + shown.joined(separator: ", ")
  }
}
