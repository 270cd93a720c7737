import TestSupport
import Testing

@testable import BayesianOptimization

@Suite(.bounded) struct ProposalBenchmarkTests {
  @Test func everyPartIsMeasured() throws {
    let problem = try #require(AnalyticProblem.named("zdt1"))
    let design = SobolSampler(space: problem.space)
    var configurations: [Configuration] = []
    for index in 0..<16 {
      let request = ProposalRequest(seed: 3, index: index, observations: [], pending: configurations)
      guard case .proposal(let proposal) = design.propose(request) else { continue }
      configurations.append(proposal.configuration)
    }
    let observations = try configurations.prefix(10).map {
      Observation(configuration: $0, objectives: try problem.evaluate($0))
    }
    let settings = SamplerSettings(
      reference: .inferred, surrogate: SurrogateSettings(schedule: .short), evaluations: 50, starts: 2)
    let runs = ProposalBenchmark.run(
      space: problem.space, objectives: problem.objectives, settings: settings, observations: observations,
      candidates: Array(configurations.suffix(6)), repetitions: 2)
    #expect(runs.count == 2)
    for run in runs {
      #expect(run.fitSeconds > 0 && run.buildSeconds > 0 && run.candidatesSeconds > 0)
      #expect(run.coldProposalSeconds > 0 && run.warmProposalSeconds > 0)
      #expect(run.gradients > 0 && run.anchors > 0)
      #expect((1...50).contains(run.evaluations))
    }
  }
}
