import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct FeasibilityModelTests {
  /// Configurations with more than `limit` rank-layers run out of memory.
  private func runsOut(_ space: SearchSpace, _ configuration: Configuration, limit: Int) -> Bool {
    (configuration.layers?.count ?? 0) * (configuration.count ?? 0) * (configuration.rank ?? 0) > limit
  }

  @Test func learnsTheSizeOfTheMemory() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 12))
    var stream = RandomStream(seed: 1, purpose: "feasibility")
    var feasible: [[Int]] = []
    var infeasible: [[Int]] = []
    for _ in 0..<40 {
      let configuration = space.random(using: &stream)
      let levels = try space.levels(of: configuration)
      if runsOut(space, configuration, limit: 4_000) { infeasible.append(levels) } else { feasible.append(levels) }
    }
    #expect(infeasible.count > 5 && feasible.count > 5)
    let model = try #require(FeasibilityModel(space: space, feasible: feasible, infeasible: infeasible))
    var right = 0
    for _ in 0..<500 {
      let configuration = space.random(using: &stream)
      let probability = model.probability(try space.levels(of: configuration))
      if (probability < 0.5) == runsOut(space, configuration, limit: 4_000) { right += 1 }
    }
    #expect(right > 440, "\(right) of 500")
    #expect(FeasibilityModel(space: space, feasible: feasible, infeasible: []) == nil)
  }

  @Test func proposalsLeaveTheOutOfMemoryRegion() throws {
    // Larger memories look better, so that without the model every proposal would run out of memory.
    let space = try SearchSpace(memory: MemorySpace(layers: 12))
    let objectives = SamplerConformanceTests.objectives
    var settings = SamplerConformanceTests.settings(.saasNEHVI, initial: 12)
    settings.reference = .inferred
    let sampler = settings.makeSampler(space: space, objectives: objectives)
    var observations: [Observation] = []
    var failures: [Bool] = []
    for index in 0..<42 {
      guard
        case .proposal(let proposal) = sampler.propose(
          ProposalRequest(seed: 5, index: index, observations: observations))
      else {
        Issue.record("no proposal")
        return
      }
      let configuration = proposal.configuration
      let fails = runsOut(space, configuration, limit: 5_000)
      failures.append(fails)
      let size = Double((configuration.layers?.count ?? 0) * (configuration.count ?? 0) * (configuration.rank ?? 0))
      observations.append(
        Observation(
          configuration: configuration,
          objectives: fails ? [:] : ["loss": 3 - size / 5_000, "rougeL": 0.1 + size / 50_000],
          outcome: fails ? .outOfMemory : .completed))
    }
    let late = failures.suffix(20).filter { $0 }.count
    #expect(failures.prefix(12).contains(true), "the design must meet the region")
    #expect(late <= 2, "\(failures.suffix(20))")
  }
}
