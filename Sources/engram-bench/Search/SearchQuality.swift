import BayesianOptimization
import RandomStreams

/// Search quality per trial: normalised hypervolume of the evaluated configurations on an analytic problem.
enum SearchQuality {
  /// One search.
  struct Run: Sendable, Codable {
    /// Hypervolume of the noise-free values after each evaluation, divided by the problem's maximum where it is known.
    var curve: [Double]
    var configurations: [Configuration]
    /// Source of each configuration: `given`, `initial`, `nehvi` and so on.
    var sources: [String]
    var fallbacks: [String]
  }

  /// Searches `problem` from given initial configurations.
  ///
  /// - Parameters:
  ///   - initial: configurations evaluated first, in order; the noise of the first evaluations is drawn like all others.
  ///   - initialValues: their observed values, where they are given; nil draws them.
  ///   - budget: evaluations in all.
  ///   - batch: proposals per round; the earlier ones of a round are pending for the later ones.
  ///   - asynchronous: whether `batch` workers run without rounds: each finishes its configuration when `batch` − 1 others
  ///     are pending, and gets the next at once.
  ///   - noiseSeed: seed of the observation noise; the sampler never sees it.
  static func run(
    problem: AnalyticProblem, settings: SamplerSettings, initial: [Configuration],
    initialValues: [[String: Double]]? = nil, budget: Int, batch: Int = 1, asynchronous: Bool = false,
    seed: UInt64, noiseSeed: UInt64
  ) throws -> Run {
    var settings = settings
    settings.initial = settings.kind == .nsga2 ? max(2, initial.count) : min(settings.initial, initial.count)
    if case .base = settings.reference { settings.reference = .fixed(problem.reference) }
    let sampler = settings.makeSampler(space: problem.space, objectives: problem.objectives)
    var observations: [Observation] = []
    var history = HypervolumeHistory(reference: problem.maximizedReference)
    var run = Run(curve: [], configurations: [], sources: [], fallbacks: [])
    let scale = problem.maximumHypervolume ?? 1

    func finish(_ configuration: Configuration, _ source: String, values: [String: Double]? = nil) throws {
      let index = observations.count
      let observed = try values ?? problem.observe(configuration, seed: noiseSeed, index: index)
      observations.append(Observation(configuration: configuration, objectives: observed))
      let exact = Observation(configuration: configuration, objectives: try problem.evaluate(configuration))
      run.curve.append(history.add(exact.maximizedValues(problem.objectives)) / scale)
      run.configurations.append(configuration)
      run.sources.append(source)
    }

    for (index, configuration) in initial.enumerated() {
      try finish(configuration, "given", values: initialValues?[index])
    }
    var state = ProposalRequest(seed: seed, index: 0, observations: []).warmStart
    var waiting: [(configuration: Configuration, source: String)] = []
    while observations.count < budget {
      while waiting.count < batch && observations.count + waiting.count < budget {
        let request = ProposalRequest(
          seed: seed, index: observations.count + waiting.count, observations: observations,
          pending: waiting.map(\.configuration), warmStart: state)
        guard case .proposal(let proposal) = sampler.propose(request) else { break }
        state = proposal.warmStart ?? state
        waiting.append((proposal.configuration, proposal.source))
        run.fallbacks += proposal.fallbacks
      }
      if waiting.isEmpty { break }
      for item in waiting.prefix(asynchronous ? 1 : waiting.count) { try finish(item.configuration, item.source) }
      waiting.removeFirst(asynchronous ? 1 : waiting.count)
    }
    return run
  }
}
