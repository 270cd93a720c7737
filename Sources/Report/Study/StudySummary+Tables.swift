import BayesianOptimization
import Foundation
import Study

extension StudySummary {
  /// The front as a table: number, configuration, objectives with standard errors, trainable parameters.
  package func frontTable() -> TextTable { table(of: front) }

  /// Trials as a table with their state.
  package func trialTable(_ trials: [Trial]) -> TextTable { table(of: trials, withState: true) }

  /// Most factors that get a column each in a table for people; more share one.
  static let widestFactors = 6

  private func table(of trials: [Trial], withState: Bool = false) -> TextTable {
    var columns: [(title: String, alignment: TextTable.Alignment)] = [("trial", .right)]
    if withState { columns.append(("state", .left)) }
    let names = factorNames(trials)
    columns += configurationColumns(names)
    columns += objectives.map { (Self.columnTitle($0.name), .right) }
    // Only the memory evaluator trains parameters.
    let hasParameters = trials.contains { $0.result?.metrics?["trainableParameters"] != nil }
    if hasParameters { columns.append(("parameters", .right)) }
    columns.append(("from", .left))
    if withState { columns += [("attempts", .right), ("note", .left)] }
    var table = TextTable(columns)
    for trial in trials {
      var cells = ["\(trial.number)"]
      if withState { cells.append(trial.state.rawValue) }
      cells += Self.configurationCells(trial.configuration, factors: names)
      cells += objectives.map { objective in
        guard let value = trial.result?.objectives[objective.name] else { return "" }
        return Self.value(value, error: trial.result?.standardErrors?[objective.name], name: objective.name)
      }
      if hasParameters { cells.append(trial.result?.metrics?["trainableParameters"].map(PlotNumber.count) ?? "") }
      cells.append(trial.provenance.source)
      if withState {
        let note = trial.failure.map { "\($0.failureClass): \($0.message)" } ?? ""
        cells += ["\(trial.attempts.count)", String(note.prefix(80))]
      }
      table.add(cells)
    }
    return table
  }

  /// Names of the factors of these trials: in the order of the space where the study's file is readable, else sorted; nil
  /// for memory configurations.
  func factorNames(_ trials: [Trial]) -> [String]? {
    let found = Set(trials.flatMap { $0.configuration.factors.map { Array($0.keys) } ?? [] })
    guard !found.isEmpty || trials.contains(where: { $0.configuration.factors != nil }) else { return nil }
    // The order only: a configuration that cannot be read is reported by whoever needs it.
    let declared =
      (try? StudyConfiguration(canonicalText: record.definition.configurationText))?.space.factors?.map(\.name) ?? []
    return declared.filter(found.contains) + found.subtracting(declared).sorted()
  }

  private func configurationColumns(_ factors: [String]?) -> [(title: String, alignment: TextTable.Alignment)] {
    guard let factors else { return [("layers", .left), ("n", .right), ("r", .right)] }
    return factors.count > Self.widestFactors ? [("configuration", .left)] : factors.map { ($0, .right) }
  }

  static func configurationCells(_ configuration: Configuration, factors: [String]? = nil) -> [String] {
    switch configuration.content {
    case .memory(let layers, let count, let rank):
      if configuration.isNull { return ["none (the base)", "0", ""] }
      return [IndexRanges.text(layers), "\(count)", "\(rank)"]
    case .factors(let values):
      guard let factors, factors.count <= Self.widestFactors else { return [configuration.description] }
      return factors.map { values[$0]?.description ?? "" }
    }
  }

  /// Scores that are stored as fractions and shown as percent, as the paper's tables do; their titles say so.
  package static func isScore(_ name: String) -> Bool { Objective.fractions.contains(name) }

  /// An objective's or metric's name for people.
  package static func title(_ name: String) -> String {
    ["rougeL": "ROUGE-L", "rouge1": "ROUGE-1", "personaF1": "P-F1", "factRecall": "recall"][name] ?? name
  }

  /// The title of a column, with its unit where the cells are percent.
  package static func columnTitle(_ name: String) -> String { title(name) + (isScore(name) ? " %" : "") }

  /// A value with its name and unit, for running text: `ROUGE-L 35.35 ±1.00 %`.
  package static func text(_ value: Double, error: Double? = nil, name: String) -> String {
    "\(title(name)) \(Self.value(value, error: error, name: name))" + (isScore(name) && value.isFinite ? " %" : "")
  }

  /// A value with its standard error, in the unit of ``columnTitle(_:)``.
  package static func value(_ value: Double, error: Double? = nil, name: String) -> String {
    let text = isScore(name) ? PlotNumber.percent : PlotNumber.column
    guard value.isFinite else { return PlotNumber.short(value) }
    guard let error, error.isFinite else { return text(value) }
    return "\(text(value)) ±\(text(error))"
  }

  /// 1234567 as 1,234,567.
  package static func grouped(_ number: Int) -> String { PlotNumber.grouped(number) }
}
