import ArgumentParser
import Console
import Experiment
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

  func run() throws {
    let problem = try options.problem()
    let answer = try FrontOfFile(
      options.observations, objectives: problem.objectives, reference: options.referencePoint(problem.objectives))
    Terminal.print(try JSON.line(answer.output))
    Terminal.printNotes(answer.notes)
  }
}
