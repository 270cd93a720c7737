import RandomStreams

/// Points before there is a model: scrambled Sobol points of the space's variables, or uniform draws.
struct InitialPoints {
  let space: SearchSpace
  let design: SamplerSettings.InitialDesign

  /// Points of the sequence that are tried for one proposal before chance decides.
  private static let sobolAttempts = 32
  /// Distance of the points that one proposal tries: more than a study has proposals, so that no two try the same point.
  private static let attemptStride = 1 << 20
  /// The sequence has 2^31 points.
  private static let lastSobolPoint = 0x7fff_ffff

  /// An unseen valid configuration for proposal `index`, with the name of its source; nil when the space is exhausted.
  ///
  /// The Sobol point of the index is used where it is valid and unseen; otherwise points further along the sequence
  /// (each index has its own), and uniform draws at last.
  func next(_ known: KnownConfigurations, seed: UInt64, index: Int) -> (levels: [Int], source: String)? {
    guard !known.isExhausted else { return nil }
    let key = UInt64(max(0, index))
    if design == .sobol && space.variables.count <= Sobol.maximumDimension {
      var scrambling = RandomStream(seed: seed, purpose: "initial/scrambling")
      let sobol = Sobol(dimension: space.variables.count, scrambledBy: &scrambling)
      for attempt in 0..<Self.sobolAttempts {
        let position = (max(0, index) + attempt * Self.attemptStride) & Self.lastSobolPoint
        let candidate = space.levels(unit: sobol.point(position))
        if known.isFresh(candidate) { return (candidate, "sobol") }
      }
    }
    var stream = RandomStream(seed: seed, purpose: "initial/random", index: key)
    return known.randomFresh(using: &stream).map { ($0, "random") }
  }
}

extension InitialPoints {
  /// Points in a row, each known to the next; `proposal` makes the answer of a point.
  func proposals(
    _ request: ProposalRequest, count: Int, history: KnownHistory,
    _ proposal: (Configuration, _ source: String) -> Proposal
  ) -> [ProposalOutcome] {
    var known = history.known(request)
    var outcomes: [ProposalOutcome] = []
    repeat {
      let index = request.index + outcomes.count
      guard let point = next(known, seed: request.seed, index: index) else { return outcomes + [.spaceExhausted] }
      let configuration = space.configuration(point.levels)
      known.insert(configuration)
      outcomes.append(.proposal(proposal(configuration, point.source)))
    } while outcomes.count < count
    return outcomes
  }
}

/// Uniform random configurations.
struct RandomSampler: Sampler {
  let space: SearchSpace
  private let history: KnownHistory

  init(space: SearchSpace) {
    self.space = space
    history = KnownHistory(space)
  }

  func propose(_ request: ProposalRequest) -> ProposalOutcome { proposals(request, count: 1)[0] }

  func proposals(_ request: ProposalRequest, count: Int) -> [ProposalOutcome] {
    InitialPoints(space: space, design: .random).proposals(request, count: count, history: history) {
      configuration, _ in
      Proposal(configuration: configuration, source: "random")
    }
  }
}

/// Scrambled Sobol points of the space.
struct SobolSampler: Sampler {
  let space: SearchSpace
  private let history: KnownHistory

  init(space: SearchSpace) {
    self.space = space
    history = KnownHistory(space)
  }

  func propose(_ request: ProposalRequest) -> ProposalOutcome { proposals(request, count: 1)[0] }

  func proposals(_ request: ProposalRequest, count: Int) -> [ProposalOutcome] {
    InitialPoints(space: space, design: .sobol).proposals(request, count: count, history: history) {
      configuration, source in
      Proposal(
        configuration: configuration, source: "sobol",
        fallbacks: source == "sobol" ? [] : ["random draw: no unseen Sobol point"])
    }
  }
}
