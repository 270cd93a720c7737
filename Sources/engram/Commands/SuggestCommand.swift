import ArgumentParser
import BayesianOptimization
import Foundation
import Study

/// Options that `suggest` and `pareto` share.
struct ProblemOptions: ParsableArguments {
  @Option(help: "Space file (YAML): space, objectives, sampler. A study's file will do.") var space: String
  @Option(help: "Observations, one JSON object per line.") var observations: String
  @Option(help: "Reference point of the hypervolume, as in loss=1.9,rougeL=0.22; inferred when left out.")
  var reference: String?

  func problem() throws -> SpaceFile { try SpaceFile(contentsOf: URL(fileURLWithPath: space)) }

  func lines() throws -> [ObservationLine] { try numberedLines().map(\.value) }

  /// The observations with their line numbers, from 1.
  func numberedLines() throws -> [(line: Int, value: ObservationLine)] {
    try JSONLines.numbered(ObservationLine.self, from: observations)
  }

  /// The reference point, complete and finite.
  func referencePoint(_ objectives: [Objective]) throws -> [String: Double]? {
    guard let reference else { return nil }
    var point: [String: Double] = [:]
    for part in reference.split(separator: ",") {
      let pair = part.split(separator: "=", maxSplits: 1)
      guard pair.count == 2, let value = Double(pair[1]), value.isFinite else {
        throw CommandError(
          .usage, "--reference \(reference): write name=value for every objective, separated by commas")
      }
      point[String(pair[0])] = value
    }
    let names = objectives.map(\.name)
    guard Set(point.keys) == Set(names) else {
      throw CommandError(.usage, "--reference \(reference): the objectives are \(names.joined(separator: ", "))")
    }
    return point
  }
}

struct SuggestCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "suggest", abstract: "Observations in, the next configurations out; nothing is stored.",
    discussion: """
      One JSON object per line: {"configuration":{…},"objectives":{…},"standardErrors":{…}}, or "pending":true instead of \
      objectives, or "outcome":"outOfMemory" for what did not fit (configurations like it are avoided). \
      Prints {"configuration":{…},"source":"nehvi|initial|…"} per line; with --posterior FILE (a configuration \
      per line) the latent mean and variance there instead; with --explain, per objective, how much every factor matters \
      (inverse squared lengthscale, median and 90 % interval) and a leave-one-out check of the model. Layers are written as their indices, or as one switch (0 or 1) \
      per layer when the observations are.

      The space file's sampler section chooses the rest: name (saas-nehvi, nsga2, sobol, random), initial, schedule, \
      outcomeTransform (standardize, copula), lengthscalePrior (saas, logNormal), useStandardErrors, reference, evaluations. \
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
    let lines = try options.numberedLines()
    let observations = try checked(lines, space: problem.space, objectives: problem.objectives)
    var settings = problem.sampler
    settings.threads = threads
    if let initial { settings.initial = initial }
    let reference = try options.referencePoint(problem.objectives)
    // A stateless call knows no un-injected base: without a given point the front decides.
    settings.reference = reference.map { .fixed($0) } ?? (settings.reference == .null ? .inferred : settings.reference)
    let suggestion = Suggestion(space: problem.space, objectives: problem.objectives, settings: settings)
    if let posterior { return try printPosterior(suggestion, observations.finished, at: posterior) }
    if explain { return try printExplanation(suggestion, observations.finished) }
    let proposals = suggestion.next(
      observations: observations.finished, pending: observations.pending, count: count, seed: seed)
    let notation = try LayerNotation(observationsFile: options.observations, space: problem.space)
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

  private func checked(
    _ lines: [(line: Int, value: ObservationLine)], space: SearchSpace, objectives: [Objective]
  ) throws -> (finished: [Observation], pending: [Configuration]) {
    var finished: [Observation] = []
    var pending: [Configuration] = []
    for (number, line) in lines {
      guard let configuration = line.configuration else {
        throw CommandError(.usage, "\(options.observations):\(number): no configuration. suggest needs one per line")
      }
      do {
        _ = try space.key(configuration)
      } catch let error as SearchSpaceError {
        throw CommandError(.usage, "\(options.observations):\(number): \(error.message)")
      }
      if let observation = line.observation, observation.outcome == .completed,
        let missing = objectives.first(where: { observation.objectives[$0.name] == nil })
      {
        throw CommandError(
          .usage, "\(options.observations):\(number): the objective '\(missing.name)' is missing. Add it to the line")
      }
      if let observation = line.observation { finished.append(observation) } else { pending.append(configuration) }
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

  /// Looks at the first observation whose layers cannot be indices.
  init(observationsFile: String, space: SearchSpace) throws {
    struct Line: Decodable {
      struct Raw: Decodable { var layers: [Int]? }
      var configuration: Raw?
    }
    guard let count = space.memory?.layers, observationsFile != "-" else {
      layers = nil
      return
    }
    let lines = try JSONLines.read(Line.self, from: observationsFile)
    let usesSwitches = lines.contains { line in
      guard let values = line.configuration?.layers else { return false }
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
