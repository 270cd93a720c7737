import BayesianOptimization
import Foundation
import Study
import TestSupport
import Testing

@testable import Coordinator

/// R4, R5: a study that is resumed proposes what it would have proposed, and a past proposal can be computed again.
@Suite(.ownThread, .bounded) struct ResumeTests {
  private struct Proposed: Hashable {
    var key: String
    var seed: UInt64
    var acquisition: Double?
    var pending: [Int]
    var warmStart: Data?
  }

  private static func proposals(_ store: any StudyStore) throws -> [Proposed] {
    try store.load().trials.map {
      Proposed(
        key: $0.configurationKey, seed: $0.seed, acquisition: $0.provenance.acquisition, pending: $0.provenance.pending,
        warmStart: try store.warmStart(trial: $0.number))
    }
  }

  @Test func aRestartBeforeEveryProposalChangesNoProposal() throws {
    let definition = ToyEvaluation.definition(seed: 9)
    var straight = try StraightCluster(store: InMemoryStudyStore(definition: definition, budget: 45), budget: 45)
    try straight.run()
    var broken = try StraightCluster(store: InMemoryStudyStore(definition: definition, budget: 45), budget: 45)
    broken.restartsBeforeProposals = true
    try broken.run()
    #expect(broken.restarts >= 45)
    #expect(straight.finish == .budget && broken.finish == .budget)
    #expect(try Self.proposals(broken.store) == Self.proposals(straight.store))
    #expect(try broken.findings() == [])
  }

  @Test(arguments: [false, true]) func everyPastProposalCanBeComputedAgain(inRows: Bool) throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 9), budget: 20)
    var cluster = try StraightCluster(store: store, budget: 20, lookahead: inRows ? 4 : 1)
    cluster.isBatching = inRows
    try cluster.run()
    #expect(cluster.longestRow > 1 || !inRows)
    for trial in try store.load().trials where trial.kind == .search {
      let request = try ProposalReplay(trial: trial.number, in: store).request
      guard case .proposal(let proposal) = ToySampler().propose(request) else {
        Issue.record("no proposal for trial \(trial.number)")
        continue
      }
      #expect(proposal.configuration == trial.configuration)
      #expect(proposal.acquisition == trial.provenance.acquisition)
      #expect(try store.warmStart(trial: trial.number) == proposal.warmStart)
    }
    #expect(throws: StudyError.self) { try ProposalReplay(trial: 0, in: store) }
    #expect(throws: StudyError.self) { try ProposalReplay(trial: 99, in: store) }
  }

  @Test func anExhaustedSpaceIsANormalEnd() throws {
    let store = InMemoryStudyStore(definition: ToyEvaluation.definition(seed: 9), budget: 500)
    var cluster = try StraightCluster(store: store, budget: 500)
    try cluster.run()
    #expect(cluster.finish == .spaceExhausted)
    #expect(try store.load().trials.count == ToySampler.layers * ToySampler.counts + 1)
    #expect(try cluster.findings() == [])
  }
}
