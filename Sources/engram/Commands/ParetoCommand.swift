import ArgumentParser
import BayesianOptimization
import Foundation

struct ParetoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pareto", abstract: "Front and hypervolume of observations.",
    discussion: """
      Prints {"front":[line numbers from 0],"hypervolume":h}; without --reference the inferred reference point too. \
      Observations may lack their configuration; pending and failed ones count nothing.
      """)

  @OptionGroup var options: ProblemOptions

  struct Output: Encodable {
    var front: [Int]
    var hypervolume: Double
    var reference: [String: Double]?
  }

  func run() throws {
    let problem = try options.problem()
    let lines = try options.numberedLines()
    let reference = try options.referencePoint(problem.objectives)
    let values = lines.map { _, line in
      line.pending || (line.outcome ?? .completed) != .completed ? nil : line.objectives
    }
    for (number, entry) in zip(lines.map(\.line), values) {
      guard let entry, let missing = problem.objectives.first(where: { entry[$0.name] == nil }) else { continue }
      throw CommandError(
        .usage, "\(options.observations):\(number): the objective '\(missing.name)' is missing. Add it to the line")
    }
    let summary = ParetoSummary(values: values, objectives: problem.objectives, reference: reference)
    Terminal.print(
      try JSON.line(
        Output(
          front: summary.front.map { lines[$0].line - 1 }, hypervolume: summary.hypervolume,
          reference: summary.isInferred ? summary.reference : nil)))
  }
}
