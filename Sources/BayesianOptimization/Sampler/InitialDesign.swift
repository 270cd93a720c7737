import RandomStreams

/// Points before there is a model: scrambled Sobol points of the space's variables, or uniform draws.
struct InitialPoints {
  let space: SearchSpace
  let design: SamplerSettings.InitialDesign

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
      for attempt in 0..<32 {
        let candidate = space.levels(unit: sobol.point((max(0, index) + attempt << 20) & 0x7fff_ffff))
        if known.isFresh(candidate) { return (candidate, "sobol") }
      }
    }
    var stream = RandomStream(seed: seed, purpose: "initial/random", index: key)
    return known.randomFresh(using: &stream).map { ($0, "random") }
  }
}

/// Uniform random configurations.
struct RandomSampler: Sampler {
  let space: SearchSpace

  func propose(_ request: ProposalRequest) -> ProposalOutcome {
    let known = KnownConfigurations(space, request)
    let points = InitialPoints(space: space, design: .random)
    guard let point = points.next(known, seed: request.seed, index: request.index) else { return .spaceExhausted }
    return .proposal(Proposal(configuration: space.configuration(point.levels), source: "random"))
  }
}

/// Scrambled Sobol points of the space.
struct SobolSampler: Sampler {
  let space: SearchSpace

  func propose(_ request: ProposalRequest) -> ProposalOutcome {
    let known = KnownConfigurations(space, request)
    let points = InitialPoints(space: space, design: .sobol)
    guard let point = points.next(known, seed: request.seed, index: request.index) else { return .spaceExhausted }
    return .proposal(
      Proposal(
        configuration: space.configuration(point.levels), source: "sobol",
        fallbacks: point.source == "sobol" ? [] : ["random draw: no unseen Sobol point"]))
  }
}
