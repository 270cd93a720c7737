import BayesianOptimization
import Report
import Study

/// `engram pareto`: front and hypervolume of the observations of a file.
package struct FrontOfFile {
  package struct Output: CompleteRow {
    /// Numbers of lines, from 0.
    var front: [Int]
    var hypervolume: Double
    /// The point that was used, given or inferred; null where there was nothing to infer it from.
    var reference: [String: Double]?
  }

  package let output: Output
  /// What the numbers do not show by themselves.
  package let notes: [String]

  package init(
    _ path: String, objectives: [Objective], reference: @autoclosure () throws -> [String: Double]?
  ) throws {
    let file = try ObservationFile(path, objectives: objectives)
    let values = file.lines.map { line in
      line.value.pending || (line.value.outcome ?? .completed) != .completed ? nil : line.value.objectives
    }
    let summary = ParetoSummary(values: values, objectives: objectives, reference: try reference())
    var notes = [file.mixedUnits(objectives)]
    if summary.isEmpty {
      notes.append("\(file.file.place): no completed observation with finite values: there is no front yet")
    } else {
      notes.append(
        ReferencePoint.unreachedNote(
          values: values.compactMap { $0 }, objectives: objectives, reference: summary.reference))
    }
    self.notes = notes.compactMap { $0 }
    output = Output(
      front: summary.front.map { file.lines[$0].number - 1 }, hypervolume: summary.hypervolume,
      reference: summary.isEmpty && summary.isInferred ? nil : summary.reference)
  }
}
