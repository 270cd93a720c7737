import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report

struct ParetoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pareto", abstract: "Front and hypervolume of observations.",
    discussion: """
      Prints {"front":[line numbers from 0],"hypervolume":h,"reference":{…}}: the point given, or the inferred one (null \
      when nothing is observed). \
      Observations may lack their configuration; pending and failed ones count nothing.
      """)

  @OptionGroup var options: ProblemOptions

  struct Output: CompleteRow {
    var front: [Int]
    var hypervolume: Double
    /// The point that was used, given or inferred; null where there was nothing to infer it from.
    var reference: [String: Double]?
  }

  func run() throws {
    let problem = try options.problem()
    let file = try ObservationFile(options.observations, objectives: problem.objectives)
    let reference = try options.referencePoint(problem.objectives)
    let values = file.lines.map { line in
      line.value.pending || (line.value.outcome ?? .completed) != .completed ? nil : line.value.objectives
    }
    let summary = ParetoSummary(values: values, objectives: problem.objectives, reference: reference)
    var notes = [file.mixedUnits(problem.objectives)]
    if summary.isEmpty {
      notes.append("\(file.file.place): no completed observation with finite values: there is no front yet")
    } else {
      notes.append(
        ReferencePoint.unreachedNote(
          values: values.compactMap { $0 }, objectives: problem.objectives, reference: summary.reference))
    }
    Terminal.print(
      try JSON.line(
        Output(
          front: summary.front.map { file.lines[$0].number - 1 }, hypervolume: summary.hypervolume,
          reference: summary.isEmpty && summary.isInferred ? nil : summary.reference)))
    Terminal.printNotes(notes.compactMap { $0 })
  }
}
