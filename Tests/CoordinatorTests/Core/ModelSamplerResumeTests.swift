import BayesianOptimization
import Foundation
import Study
import StudyDatabase
import TestSupport
import Testing

@testable import Coordinator

/// R4, R5 with the sampler that studies use: chains and warm starts included.
@Suite(.ownThread, .bounded) struct ModelSamplerResumeTests {
  private struct Proposed: Hashable {
    var configuration: Data
    var source: String
    var acquisition: UInt64?
    var fallbacks: [String]
    var diagnostics: [String: UInt64]
    var warmStart: Data?
  }

  private static func proposals(_ store: any StudyStore) throws -> [Proposed] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = .sortedKeys
    return try store.load().trials.map { trial in
      Proposed(
        configuration: try encoder.encode(trial.configuration), source: trial.provenance.source,
        acquisition: trial.provenance.acquisition?.bitPattern, fallbacks: trial.provenance.fallbacks,
        diagnostics: trial.provenance.diagnostics.mapValues(\.bitPattern),
        warmStart: try store.warmStart(trial: trial.number))
    }
  }

  /// 12 proposals with a short schedule; `ENGRAM_RESUME_PROPOSALS=50` asks for so many with the default one.
  private static let full = ProcessInfo.processInfo.environment["ENGRAM_RESUME_PROPOSALS"].flatMap(Int.init)

  private static func cluster(_ store: any StudyStore, threads: Int, budget: Int) throws -> StraightCluster {
    let space = try SearchSpace(
      memory: MemorySpace(layers: ToySampler.layers, count: 0...ToySampler.counts, ranks: [8, 16]))
    let settings = SamplerSettings(
      initial: 4, surrogate: SurrogateSettings(schedule: full == nil ? .short : .standard),
      evaluations: full == nil ? 200 : 2_000, threads: threads)
    return try StraightCluster(
      store: store, budget: budget,
      sampler: settings.makeSampler(space: space, objectives: ToyEvaluation.objectives),
      key: { (try? space.key($0)) ?? "outside" })
  }

  @Test func aRestartBeforeEveryProposalChangesNoByte() throws {
    let budget = Self.full ?? 12
    let definition = ToyEvaluation.definition(seed: 9)
    var straight = try Self.cluster(
      InMemoryStudyStore(definition: definition, budget: budget), threads: 1, budget: budget)
    try straight.run()
    // The other coordinator forgets everything before each proposal, reads a database, and uses two threads.
    let folder = try TemporaryFolder()
    let store = try SQLiteStudyStore(StudyFolder(folder.url), beginning: (definition, budget))
    var broken = try Self.cluster(store, threads: 2, budget: budget)
    broken.restartsBeforeProposals = true
    try broken.run()
    #expect(broken.restarts >= budget)
    let expected = try Self.proposals(straight.store)
    #expect(try Self.proposals(broken.store) == expected)
    // The model proposed, and continued its chains.
    let modelled = expected.filter { $0.source == "nehvi" }
    #expect(modelled.count >= budget - 6 && modelled.allSatisfy { $0.warmStart != nil })
    #expect(modelled.contains { $0.diagnostics["loss.warmStarted"] == 1.0.bitPattern })
    #expect(try broken.findings() == [])
    try replay(store, expected: expected, budget: budget)
  }

  /// Every proposal again, from what the database holds of its request.
  private func replay(_ store: any StudyStore, expected: [Proposed], budget: Int) throws {
    let sampler = try Self.cluster(store, threads: 1, budget: budget).sampler
    for trial in try store.load().trials where trial.provenance.source == "nehvi" {
      let outcome = sampler.propose(try ProposalReplay(trial: trial.number, in: store).request)
      guard case .proposal(let proposal) = outcome else {
        Issue.record("no proposal for trial \(trial.number)")
        continue
      }
      #expect(proposal.configuration == trial.configuration)
      #expect(proposal.acquisition?.bitPattern == expected[trial.number].acquisition)
      #expect(proposal.warmStart == expected[trial.number].warmStart)
    }
  }
}
