import ArgumentParser
import BayesianOptimization
import Console
import Experiment
import Foundation
import Report
import Study

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
    let file = try ObservationFile(options.observations, objectives: problem.objectives)
    let observations = try sorted(file, space: problem.space)
    var settings = problem.sampler
    settings.threads = threads
    if let initial { settings.initial = initial }
    let reference = try options.referencePoint(problem.objectives)
    // A stateless call knows no un-injected base: without a given point the front decides.
    settings.reference = reference.map { .fixed($0) } ?? (settings.reference == .null ? .inferred : settings.reference)
    let suggestion = Suggestion(space: problem.space, objectives: problem.objectives, settings: settings)
    var notes = [file.mixedUnits(problem.objectives)].compactMap { $0 }
    if case .fixed(let point) = settings.reference {
      notes += [
        ReferencePoint.unreachedNote(
          values: observations.finished.filter { $0.outcome == .completed }.map(\.objectives),
          objectives: problem.objectives, reference: point)
      ].compactMap { $0 }
    }
    defer { Terminal.printNotes(notes) }
    if posterior != nil || explain { notes += suggestion.notes(observations.finished) }
    if let posterior { return try printPosterior(suggestion, observations.finished, at: posterior) }
    if explain { return try printExplanation(suggestion, observations.finished) }
    let proposals = suggestion.next(
      observations: observations.finished, pending: observations.pending, count: count, seed: seed)
    notes += proposals.flatMap(\.fallbacks)
    let notation = LayerNotation(file, space: problem.space)
    for proposal in proposals {
      let output = Output(configuration: notation.write(proposal.configuration), source: proposal.source)
      Terminal.print(try JSON.line(output))
    }
    if proposals.count < count {
      Terminal.printError(
        "engram: \(proposals.count) of \(count) configurations: every other one is observed or pending")
    }
  }

  private struct Output: Encodable {
    var configuration: LayerNotation.Written
    var source: String
  }

  /// The finished observations and the pending configurations, all of them in the space.
  private func sorted(
    _ file: ObservationFile, space: SearchSpace
  ) throws -> (finished: [Observation], pending: [Configuration]) {
    var finished: [Observation] = []
    var pending: [Configuration] = []
    for line in file.lines {
      guard let configuration = line.value.configuration else {
        throw CommandError(.usage, "\(file.place(line.number)): no configuration. suggest needs one per line")
      }
      do {
        _ = try space.key(configuration)
      } catch let error as SearchSpaceError {
        throw CommandError(.usage, "\(file.place(line.number)): \(error.message)")
      }
      if let observation = line.value.observation {
        finished.append(observation)
      } else {
        pending.append(configuration)
      }
    }
    return (finished, pending)
  }

  private func printExplanation(_ suggestion: Suggestion, _ observations: [Observation]) throws {
    let explanations = suggestion.explanation(observations: observations, seed: seed)
    guard !explanations.isEmpty else {
      throw CommandError(
        .usage, "\(options.observations): fewer than two completed observations. A model needs at least two")
    }
    for explanation in explanations { Terminal.print(try JSON.line(explanation)) }
  }

  private func printPosterior(_ suggestion: Suggestion, _ observations: [Observation], at path: String) throws {
    let configurations = try JSONLines.read(Configuration.self, from: path)
    guard !observations.isEmpty else {
      throw CommandError(.usage, "\(options.observations): no finished observation. A posterior needs at least one")
    }
    do {
      for prediction in try suggestion.posterior(observations: observations, at: configurations, seed: seed) {
        Terminal.print(try JSON.line(prediction))
      }
    } catch let error as SearchSpaceError {
      throw CommandError(.usage, "\(path): \(error.message)")
    }
  }
}

/// How configurations write their layers: as indices, or as one switch per layer where the input does so.
struct LayerNotation {
  private let layers: Int?

  /// Looks for an observation whose layers cannot be indices.
  init(_ file: ObservationFile, space: SearchSpace) {
    guard let count = space.memory?.layers else {
      layers = nil
      return
    }
    let usesSwitches = file.lines.contains { line in
      guard let values = line.layers else { return false }
      return values.count == count && Set(values).count < values.count
    }
    layers = usesSwitches ? count : nil
  }

  /// A configuration in the chosen notation.
  struct Written: Encodable {
    var configuration: Configuration
    var switches: [Int]?

    private enum CodingKeys: String, CodingKey { case layers, count, rank }

    func encode(to encoder: any Encoder) throws {
      guard let switches else { return try configuration.encode(to: encoder) }
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(switches, forKey: .layers)
      try container.encode(configuration.count, forKey: .count)
      try container.encode(configuration.rank, forKey: .rank)
    }
  }

  func write(_ configuration: Configuration) -> Written {
    guard let layers, let active = configuration.layers else { return Written(configuration: configuration) }
    return Written(
      configuration: configuration, switches: (0..<layers).map { active.contains($0) ? 1 : 0 })
  }
}
