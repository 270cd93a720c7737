import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// What is remembered between requests never changes what a request is answered.
@Suite(.bounded) struct KnownHistoryTests {
  private func space() throws -> SearchSpace { try SearchSpace(memory: MemorySpace(layers: 4, count: 0...3)) }

  private func request(_ observations: [Observation], pending: [Configuration]) -> ProposalRequest {
    ProposalRequest(seed: 1, index: observations.count + pending.count, observations: observations, pending: pending)
  }

  @Test func rememberedHistoriesEqualThoseReadAnew() throws {
    let space = try space()
    var stream = RandomStream(seed: 7, purpose: "test/known-history")
    let history = KnownHistory(space)
    var observations: [Observation] = []
    var continued = 0
    for _ in 0..<400 {
      switch stream.integer(below: 12) {
      // A trial that was taken out, a history of another study, an empty one.
      case 0 where !observations.isEmpty: observations.remove(at: stream.integer(below: observations.count))
      case 1: observations = observations.shuffled(using: &stream)
      case 2: observations = []
      default:
        continued += 1
        for _ in 0..<stream.integer(below: 6) {
          let isStranger = stream.integer(below: 10) == 0
          observations.append(
            Observation(
              configuration: isStranger ? .factors(["x": .integer(1)]) : space.random(using: &stream),
              objectives: ["loss": stream.uniform()]))
        }
      }
      let pending = (0..<stream.integer(below: 4)).map { _ in space.random(using: &stream) }
      let request = request(observations, pending: pending)
      let (remembered, anew) = (history.known(request), KnownConfigurations(space, request))
      #expect(remembered.levels == anew.levels)
      #expect(remembered.validCount == anew.validCount)
      #expect(remembered.strangers == anew.strangers)
    }
    #expect(continued > 200)
  }

  @Test(arguments: [SamplerSettings.Kind.random, .sobol]) func aSamplerThatRemembersAnswersAsANewOne(
    kind: SamplerSettings.Kind
  ) throws {
    let space = try space()
    let objectives = [Objective(name: "loss", direction: .minimize)]
    let settings = SamplerSettings(kind: kind)
    let old = settings.makeSampler(space: space, objectives: objectives)
    var observations: [Observation] = []
    for index in 0..<60 {
      let request = request(observations, pending: [])
      let answer = old.propose(request)
      #expect(answer == settings.makeSampler(space: space, objectives: objectives).propose(request))
      guard case .proposal(let proposal) = answer else { break }
      observations.append(Observation(configuration: proposal.configuration, objectives: ["loss": Double(index)]))
    }
    #expect(observations.count == 60)
  }
}
