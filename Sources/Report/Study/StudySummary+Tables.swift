import BayesianOptimization
import Foundation
import Study

extension StudySummary {
  /// The front as a table: number, configuration, objectives with standard errors, trainable parameters.
  public func frontTable() -> TextTable { table(of: front) }

  /// Trials as a table with their state.
  public func trialTable(_ trials: [Trial]) -> TextTable { table(of: trials, withState: true) }

  private func table(of trials: [Trial], withState: Bool = false) -> TextTable {
    var columns: [(title: String, alignment: TextTable.Alignment)] = [("trial", .right)]
    if withState { columns.append(("state", .left)) }
    columns += [("layers", .left), ("n", .right), ("r", .right)]
    columns += objectives.map { (Self.columnTitle($0.name), .right) }
    columns += [("parameters", .right), ("from", .left)]
    if withState { columns += [("attempts", .right), ("note", .left)] }
    var table = TextTable(columns)
    for trial in trials { table.add(cells(of: trial, withState: withState)) }
    return table
  }

  private func cells(of trial: Trial, withState: Bool) -> [String] {
    var cells = ["\(trial.number)"]
    if withState { cells.append(trial.state.rawValue) }
    cells += Self.configurationCells(trial.configuration)
    cells += objectives.map { objective in
      guard let value = trial.result?.objectives[objective.name] else { return "" }
      let error = trial.result?.standardErrors?[objective.name]
      return Self.value(value, error: error, name: objective.name)
    }
    let parameters = trial.result?.metrics?["trainableParameters"]
    cells += [parameters.map { Self.grouped(Int($0)) } ?? "", trial.provenance.source]
    if withState {
      let note = trial.failure.map { "\($0.failureClass): \($0.message)" } ?? ""
      cells += ["\(trial.attempts.count)", String(note.prefix(80))]
    }
    return cells
  }

  /// Trials for programs: plain numbers, scores as fractions, standard errors in columns of their own.
  ///
  /// Layers are separated by spaces; configurations of a generic space stand in one column as `name=value` pairs.
  public func records(_ trials: [Trial]) -> TextTable {
    let isGeneric = trials.contains { if case .factors = $0.configuration.content { true } else { false } }
    let names = ["trial", "state"] + (isGeneric ? ["configuration"] : ["layers", "count", "rank"])
    let values = objectives.flatMap { [$0.name, "\($0.name)StandardError"] }
    let titles = names + values + ["trainableParameters", "seconds", "source", "attempts", "failure"]
    var table = TextTable(titles.map { ($0, .left) })
    for trial in trials {
      var cells = ["\(trial.number)", trial.state.rawValue]
      switch trial.configuration.content {
      case .memory(let layers, let count, let rank):
        cells += [layers.map(String.init).joined(separator: " "), "\(count)", "\(rank)"]
      case .factors: cells.append(trial.configuration.description)
      }
      for objective in objectives {
        cells.append(trial.result?.objectives[objective.name].map { "\($0)" } ?? "")
        cells.append(trial.result?.standardErrors?[objective.name].map { "\($0)" } ?? "")
      }
      let metrics = trial.result?.metrics
      cells += [metrics?["trainableParameters"].map { "\(Int($0))" } ?? "", metrics?["seconds"].map { "\($0)" } ?? ""]
      cells += [trial.provenance.source, "\(trial.attempts.count)"]
      cells.append(trial.failure.map { "\($0.failureClass): \($0.message)" } ?? "")
      table.add(cells)
    }
    return table
  }

  static func configurationCells(_ configuration: Configuration) -> [String] {
    switch configuration.content {
    case .memory(let layers, let count, let rank):
      if configuration.isNull { return ["none (the base)", "0", ""] }
      return [IndexRanges.text(layers), "\(count)", "\(rank)"]
    case .factors: return [configuration.description, "", ""]
    }
  }

  /// Scores in [0, 1] are printed times 100, as the paper's tables do.
  public static func isScore(_ name: String) -> Bool {
    ["rougeL", "rouge1", "personaF1", "factRecall"].contains(name)
  }

  public static func columnTitle(_ name: String) -> String {
    let titles = ["rougeL": "ROUGE-L", "rouge1": "ROUGE-1", "personaF1": "P-F1", "factRecall": "recall"]
    return titles[name] ?? name
  }

  public static func value(_ value: Double, error: Double? = nil, name: String) -> String {
    let factor = isScore(name) ? 100.0 : 1
    let format = isScore(name) ? "%.2f" : "%.4f"
    guard value.isFinite else { return PlotNumber.short(value) }
    let text = String(format: format, value * factor)
    guard let error, error.isFinite else { return text }
    return text + " ±" + String(format: isScore(name) ? "%.2f" : "%.4f", error * factor)
  }

  /// 1234567 as 1,234,567.
  public static func grouped(_ number: Int) -> String {
    var digits = String(abs(number))
    var parts: [String] = []
    while digits.count > 3 {
      parts.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return (number < 0 ? "-" : "") + ([digits] + parts).joined(separator: ",")
  }
}
