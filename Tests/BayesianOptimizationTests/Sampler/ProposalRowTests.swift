import TestSupport
import Testing

@testable import BayesianOptimization

/// Proposals in a row are what would have been proposed one after the other.
@Suite(.bounded) struct ProposalRowTests {
  @Test(arguments: [SamplerSettings.Kind.random, .sobol], ["sparse34", "sparse34-factors", "branin-currin"])
  func aRowIsItsProposals(kind: SamplerSettings.Kind, name: String) throws {
    let problem = try #require(AnalyticProblem.named(name))
    let sampler = SamplerSettings(kind: kind).makeSampler(space: problem.space, objectives: problem.objectives)
    var request = ProposalRequest(seed: 5, index: 3, observations: [])
    let row = sampler.proposals(request, count: 40)
    #expect(row.count == 40)
    for outcome in row {
      #expect(sampler.propose(request) == outcome)
      guard case .proposal(let proposal) = outcome else { break }
      request.index += 1
      request.pending.append(proposal.configuration)
    }
  }

  @Test func aModelMakesOneAtATime() throws {
    let problem = try #require(AnalyticProblem.named("branin-currin"))
    let sampler = SamplerSettings(initial: 4).makeSampler(space: problem.space, objectives: problem.objectives)
    let request = ProposalRequest(seed: 5, index: 0, observations: [])
    #expect(sampler.proposals(request, count: 9) == [sampler.propose(request)])
  }
}
