import ArgumentParser
import Console
import Experiment
import Foundation

struct SuggestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suggest", abstract: "Observations in, the next configurations out; nothing is stored.",
    discussion: """
      One JSON object per line (a file, a pipe, or - for standard input; an empty one means that nothing is observed \
      yet): {"configuration":{…},"objectives":{…},"standardErrors":{…}}, or "pending":true instead of \
      objectives, or "outcome":"outOfMemory" for what did not fit (configurations like it are avoided). \
      Prints {"configuration":{…},"source":"nehvi|initial|…"} per line; with --posterior FILE (a configuration \
      per line) the latent mean and variance there instead; with --explain, per objective, how much every factor matters \
      (inverse squared lengthscale, median and 90 % interval) and a leave-one-out check of the model. Layers are written as their indices, or as one switch (0 or 1) \
      per layer when the observations are.

      The space file's sampler section chooses the rest: name (saas-nehvi, nsga2, sobol, random), initial, schedule, \
      outcomeTransform (standardize, copula), lengthscalePrior (saas, logNormal), useStandardErrors, reference, evaluations. \
      Where useStandardErrors is on and an error is missing, the median of the others stands for it, which is said. \
      Same files, same seed: same answer.
      """)

  @OptionGroup var options: ProblemOptions
  @Option(help: "How many configurations.") var count = 1
  @Option(help: "Seed.") var seed: UInt64 = 0
  @Option(
    help: "Finished observations before the model takes over (default: sampler.initial of the space file, else 0).")
  var initial: Int?
  @Option(help: "File of configurations; prints the posterior there.") var posterior: String?
  @Flag(help: "Print what the model has learnt instead: factors by importance, leave-one-out check.")
  var explain = false
  @Option(help: "Threads; never changes the result.") var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard !explain || posterior == nil else { throw ValidationError("--explain and --posterior exclude each other") }
    guard count >= 1 else { throw ValidationError("--count must be at least 1") }
    guard initial.map({ $0 >= 0 }) ?? true else { throw ValidationError("--initial must not be negative") }
    guard threads >= 1 else { throw ValidationError("--threads must be at least 1") }
  }

  func run() throws {
    let problem = try options.problem()
    let request = try SuggestionRequest(
      problem, observations: options.observations, reference: try options.referencePoint(problem.objectives),
      initial: initial, threads: threads, seed: seed)
    var answer = SuggestionRequest.Answer(notes: request.notes(ofModel: explain || posterior != nil))
    defer { Terminal.printNotes(answer.notes) }
    answer =
      if let posterior { try request.posterior(at: posterior) } else if explain {
        try request.explanation()
      } else { try request.proposals(count) }
    for line in answer.lines { Terminal.print(line) }
    if let shortage = answer.shortage { Terminal.printError("engram: \(shortage)") }
  }
}
