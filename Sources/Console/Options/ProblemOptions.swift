import ArgumentParser
import BayesianOptimization
import Experiment
import Study

/// Options that `suggest` and `pareto` share.
package struct ProblemOptions: ParsableArguments {
  @Option(help: "Space file (YAML): space, objectives, sampler. A study's file will do.") package var space: String
  @Option(help: "Observations, one JSON object per line.") package var observations: String
  @Option(help: "Reference point of the hypervolume, as in loss=1.9,rougeL=0.22; inferred when left out.")
  package var reference: String?

  package init() {}

  package func validate() throws {
    if space == "-", observations == "-" { throw ValidationError("--space and --observations cannot both be -") }
  }

  package func problem() throws -> SpaceFile {
    let file = try InputFile(space)
    return try SpaceFile(yaml: file.text(), file: file.place)
  }

  /// The reference point, complete and finite.
  package func referencePoint(_ objectives: [Objective]) throws -> [String: Double]? {
    guard let reference else { return nil }
    let point = try NamedValues.parse(
      reference, option: "--reference", names: objectives.map(\.name), needsAll: true)
    for objective in objectives {
      guard let value = point[objective.name] else { continue }
      guard value.isFinite else {
        throw CommandError(.usage, "--reference \(reference): \(objective.name) must be a finite number")
      }
      if let problem = objective.magnitudeProblem(with: value) {
        throw CommandError(.usage, "--reference \(reference): \(problem)")
      }
    }
    return point
  }
}
