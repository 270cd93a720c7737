import BayesianOptimization
import Study

extension StudySummary {
  /// The front in the plane of the first two objectives; nil with fewer than two objectives or no completed trial.
  package func paretoPlot() -> ParetoPlot? {
    guard objectives.count >= 2, count(.completed) > 0 else { return nil }
    let (x, y) = (objectives[0], objectives[1])
    let onFront = Set(front.map(\.number))
    let points = completed.compactMap { trial in
      trial.result.map { result in
        ParetoPlot.Point(
          number: trial.number, x: result.objectives[x.name] ?? .nan, y: result.objectives[y.name] ?? .nan,
          xError: result.standardErrors?[x.name], yError: result.standardErrors?[y.name],
          isModelBased: trial.isModelBased, isOnFront: onFront.contains(trial.number),
          label: trial.configuration.description)
      }
    }
    var corner: (x: Double, y: Double)?
    var note = objectives.count > 2 ? "; first two of \(objectives.count) objectives" : ""
    if let values = base?.result?.objectives, let first = values[x.name], let second = values[y.name] {
      corner = (first, second)
      note += "; base without memory: \(PlotNumber.short(first)), \(PlotNumber.short(second))"
    }
    return ParetoPlot(
      title: "Pareto front of \(record.definition.name)",
      subtitle: "\(count(.completed)) completed trials, \(front.count) on the front; whiskers: standard errors\(note)",
      xTitle: Self.axisTitle(x), yTitle: Self.axisTitle(y), minimizesX: x.direction == .minimize,
      minimizesY: y.direction == .minimize, points: points, base: corner, chosen: chosen()?.number)
  }

  /// Dominated hypervolume against completed trials.
  package func hypervolumePlot() -> HypervolumePlot? {
    guard !hypervolumes.isEmpty else { return nil }
    // Trials before the reference point was known carry no hypervolume and stand nowhere in the picture.
    let initial = completed.count { $0.hypervolume != nil && !$0.isModelBased }
    return HypervolumePlot(
      title: "Hypervolume of \(record.definition.name)", subtitle: Self.referenceText(record),
      series: [HypervolumePlot.Series(name: record.definition.name, values: hypervolumes)],
      initialTrials: initial)
  }

  static func axisTitle(_ objective: Objective) -> String {
    let names = ["loss": "validation loss", "rougeL": "ROUGE-L", "rouge1": "ROUGE-1", "personaF1": "Persona-F1"]
    let arrow = objective.direction == .minimize ? "lower is better" : "higher is better"
    return "\(names[objective.name] ?? objective.name) (\(arrow))"
  }

  private static func referenceText(_ record: StudyRecord) -> String {
    guard let point = record.header.referencePoint else { return "" }
    let values = record.definition.objectives.map { "\($0.name) \(PlotNumber.short(point[$0.name] ?? .nan))" }
    return "reference point: \(values.joined(separator: ", "))"
  }
}
