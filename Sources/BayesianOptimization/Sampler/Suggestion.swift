import LinearAlgebra

/// Stateless use of the optimiser: observations in, configurations or predictions out.
public struct Suggestion: Sendable {
  /// Where configurations come from.
  public let space: SearchSpace
  /// What is optimised.
  public let objectives: [Objective]
  /// How.
  public let settings: SamplerSettings

  /// `settings.initial` counts finished observations here: the model is used as soon as max(initial, 2) are finished.
  public init(space: SearchSpace, objectives: [Objective], settings: SamplerSettings) {
    self.space = space
    self.objectives = objectives
    self.settings = settings
  }

  /// The next `count` configurations, chosen one after the other with the earlier ones pending; fewer (or none) when the
  /// space is exhausted.
  public func next(
    observations: [Observation], pending: [Configuration] = [], count: Int = 1, seed: UInt64 = 0
  ) -> [Proposal] {
    var waiting = pending
    var proposals: [Proposal] = []
    let finished = observations.filter { $0.maximizedValues(objectives) != nil }.count
    let isModelled = finished >= max(settings.initial, 2)
    for _ in 0..<max(0, count) {
      let request = ProposalRequest(
        seed: seed, index: observations.count + waiting.count, observations: observations, pending: waiting,
        warmStart: nil)
      let outcome: ProposalOutcome
      if settings.kind == .saasNEHVI {
        let sampler = ModelSampler(space: space, objectives: objectives, settings: settings)
        outcome = sampler.propose(request, phase: isModelled ? .model : .initial)
      } else {
        outcome = settings.makeSampler(space: space, objectives: objectives).propose(request)
      }
      guard case .proposal(let proposal) = outcome else { break }
      proposals.append(proposal)
      waiting.append(proposal.configuration)
    }
    return proposals
  }

  /// What a model of these observations would have to assume, a sentence each: errors that are not known, say.
  public func notes(_ observations: [Observation]) -> [String] {
    TrainingData(
      space: space, objectives: objectives, observations: observations, useStandardErrors: settings.useStandardErrors
    ).errorNotes(objectives)
  }

  /// A latent prediction in the objectives' own units and signs.
  public struct Prediction: Sendable, Hashable, Codable {
    /// Means by objective name.
    public var mean: [String: Double]
    /// Variances by objective name, in squared units.
    public var variance: [String: Double]
  }

  /// The posterior of the latent objectives at `configurations`, as mean and variance of the mixture.
  ///
  /// Throws `SearchSpaceError` when a configuration does not belong to the space.
  public func posterior(
    observations: [Observation], at configurations: [Configuration], seed: UInt64 = 0
  ) throws -> [Prediction] {
    let data = TrainingData(
      space: space, objectives: objectives, observations: observations, useStandardErrors: settings.useStandardErrors)
    let request = ProposalRequest(seed: seed, index: observations.count, observations: observations)
    let surrogates = Surrogates(
      space: space, objectives: objectives, data: data, settings: settings, request: request)
    let rows = try configurations.map { try space.encode($0) }
    let points = Matrix(rows: rows.count, columns: space.dimension, elements: rows.flatMap { $0 })
    var predictions = rows.map { _ in Prediction(mean: [:], variance: [:]) }
    guard !rows.isEmpty else { return [] }
    for (index, objective) in objectives.enumerated() {
      let fit = surrogates.fits[index]
      let mixture = fit.posterior.mixture(at: points)
      for row in rows.indices {
        let units = fit.transform.objectiveUnits(mean: mixture.mean[row], variance: mixture.variance[row])
        let scale = data.scales[index]
        predictions[row].mean[objective.name] = units.mean * scale * objective.direction.sign
        predictions[row].variance[objective.name] = units.variance * scale * scale
      }
    }
    return predictions
  }
}
