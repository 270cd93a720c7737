import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite("Very many pending configurations", .bounded)
struct ManyPendingTests {
  private let objectives = [Objective(name: "a", direction: .minimize), Objective(name: "b", direction: .maximize)]

  @Test("only the most promising ones are conditioned on, the rest is said and still never proposed") func bounded()
    throws
  {
    let space = try SearchSpace(factors: [
      Factor(name: "k", domain: .integer(1...400)), Factor(name: "n", domain: .toggle),
    ])
    var observations: [Observation] = []
    for index in 0..<12 {
      let place: [String: FactorValue] = ["k": .integer(1 + index * 30), "n": .flag(index % 2 == 0)]
      let values = ["a": Double(index), "b": Double(index * index % 7)]
      observations.append(Observation(configuration: .factors(place), objectives: values))
    }
    func pending(_ count: Int) -> [Configuration] {
      (0..<count).map { index -> Configuration in
        let place: [String: FactorValue] = ["k": .integer(2 + index / 2), "n": .flag(index % 2 == 0)]
        return .factors(place)
      }
    }
    let settings = SamplerSettings(
      initial: 0, reference: .inferred, surrogate: SurrogateSettings(schedule: .short), evaluations: 100, starts: 2)
    let sampler = ModelSampler(space: space, objectives: objectives, settings: settings)
    func proposal(_ count: Int) throws -> Proposal {
      let outcome = sampler.propose(
        ProposalRequest(seed: 1, index: 12 + count, observations: observations, pending: pending(count)))
      guard case .proposal(let proposal) = outcome else { throw AcquisitionError.noFiniteValue }
      return proposal
    }
    let limit = AcquisitionProblem.largestPending
    let few = try proposal(limit / 2)
    #expect(!few.fallbacks.contains { $0.contains("pending") })
    let many = try proposal(3 * limit)
    #expect(many.source == "nehvi")
    #expect(many.fallbacks.contains { $0.contains("\(limit) most promising of") })
    #expect(many.diagnostics["acquisition.anchors"].map { $0 <= Double(limit + 80) } == true)
    #expect(!pending(3 * limit).contains(many.configuration))
  }
}
