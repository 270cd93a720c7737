import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// The optimiser always answers: generated histories that break naive implementations.
///
/// 1,000 cases in an optimised build (about 15 s), 150 in a debug build unless ENGRAM_FULL is set.
@Suite(.bounded) struct PathologicalDataTests {
  static let cases: Int = {
    #if DEBUG
      ProcessInfo.processInfo.environment["ENGRAM_FULL"] == nil ? 150 : 1_000
    #else
      1_000
    #endif
  }()

  private func space(_ stream: inout RandomStream) throws -> SearchSpace {
    switch stream.integer(below: 6) {
    case 0: try SearchSpace(memory: MemorySpace(layers: 32))
    case 1: try SearchSpace(memory: MemorySpace(layers: 3, count: 0...2, ranks: [8, 16]))
    case 2: try SearchSpace(memory: MemorySpace(layers: 12, placement: .total))
    case 3: try SearchSpace(memory: MemorySpace(layers: 6, count: 1...1, ranks: [8], placement: .onePerLayer))
    case 4:
      try SearchSpace(
        memory: MemorySpace(
          layers: 12, matrices: [.init(input: 64, output: 256)], maxTrainable: 20_000, maxEffectiveRank: 64))
    default:
      try SearchSpace(factors: [
        Factor(name: "a", domain: .toggle), Factor(name: "b", domain: .integer(-5...200)),
        Factor(name: "c", domain: .categorical([.text("x"), .text("y"), .text("z")])),
      ])
    }
  }

  private func values(_ kind: Int, _ stream: inout RandomStream) -> Double {
    switch kind {
    case 0: 3.5
    case 1: stream.normal() * 1e12
    case 2: stream.normal() * 1e-12
    case 3: 1e9 + stream.normal()
    case 4: stream.bernoulli(0.2) ? .nan : stream.normal()
    case 5: stream.bernoulli(0.2) ? .infinity : stream.normal()
    case 6: stream.bernoulli(0.05) ? 1e300 : stream.normal()
    case 7: stream.bernoulli(0.5) ? 1 : 0
    case 8: 0x1p-1060 * Double(stream.integer(below: 100))
    default: stream.normal()
    }
  }

  private func history(_ space: SearchSpace, _ stream: inout RandomStream) -> [Observation] {
    let sizes = [0, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60]
    let count = stream.bernoulli(0.02) ? 150 : sizes[stream.integer(below: sizes.count)]
    let kinds = stream.bernoulli(0.1) ? (0, 0) : (stream.integer(below: 10), stream.integer(below: 10))
    let mode = stream.integer(below: 8)
    let pool = (0..<max(1, count / 3)).map { _ in space.random(using: &stream) }
    return (0..<count).map { index in
      var configuration = space.random(using: &stream)
      if mode == 1 { configuration = pool[stream.integer(below: pool.count)] }
      if mode == 2 { configuration = pool[0] }
      if mode == 3 && stream.bernoulli(0.3) { configuration = space.nullConfiguration }
      if mode == 4 && stream.bernoulli(0.3) { configuration = .memory(layers: [999], count: 7, rank: 3) }
      let outcome: Observation.Outcome =
        switch mode {
        case 5: .failed
        case 6: .outOfMemory
        case 7: index % 3 == 0 ? .outOfMemory : index % 3 == 1 ? .failed : .completed
        default: .completed
        }
      return Observation(
        configuration: configuration,
        objectives: ["loss": values(kinds.0, &stream), "rougeL": values(kinds.1, &stream)],
        standardErrors: stream.bernoulli(0.3) ? ["loss": stream.bernoulli(0.1) ? .nan : 0, "rougeL": 1e-3] : nil,
        outcome: outcome)
    }
  }

  @Test func everyHistoryIsAnswered() throws {
    var sources: [String: Int] = [:]
    for index in 0..<Self.cases {
      var stream = RandomStream(seed: 17, purpose: "pathological", index: UInt64(index))
      let space = try space(&stream)
      let observations = history(space, &stream)
      let pending = (0..<stream.integer(below: 5)).map { _ in space.random(using: &stream) }
      let references: [SamplerSettings.Reference] = [.base, .inferred, .fixed(["loss": 1e13, "rougeL": -1])]
      let settings = SamplerSettings(
        initial: stream.integer(below: 4),
        reference: references[stream.integer(below: 3)],
        surrogate: SurrogateSettings(
          lengthscalePrior: stream.bernoulli(0.2) ? .logNormal : .sparseAxisAligned,
          outcome: stream.bernoulli(0.3) ? .normalCopula : .standardize, schedule: .short),
        useStandardErrors: stream.bernoulli(0.5), evaluations: 120, starts: 3)
      let sampler = settings.makeSampler(space: space, objectives: SamplerConformanceTests.objectives)
      let request = ProposalRequest(
        seed: UInt64(index), index: observations.count + pending.count, observations: observations, pending: pending,
        warmStart: stream.bernoulli(0.3) ? Data([1, 2, 3]) : nil)
      let known = KnownConfigurations(space, request)
      switch sampler.propose(request) {
      case .spaceExhausted:
        #expect(known.isExhausted, "case \(index) gave up")
        sources["exhausted", default: 0] += 1
      case .proposal(let proposal):
        let levels = try space.levels(of: proposal.configuration)
        #expect(known.isFresh(levels), "case \(index) repeated or left the space: \(proposal.configuration)")
        #expect(!proposal.configuration.isNull)
        #expect(proposal.acquisition?.isFinite ?? true, "case \(index)")
        #expect(proposal.diagnostics.values.allSatisfy { $0.isFinite }, "case \(index)")
        if proposal.source == "sobol" { #expect(!proposal.fallbacks.isEmpty, "case \(index): no reason recorded") }
        sources[proposal.source, default: 0] += 1
      }
    }
    // The generator must reach the model, the fallbacks and the end of a space.
    #expect((sources["nehvi"] ?? 0) > Self.cases / 4, "\(sources)")
    #expect((sources["sobol"] ?? 0) > 0 && (sources["initial"] ?? 0) > 0, "\(sources)")
    #expect((sources["exhausted"] ?? 0) > 0, "\(sources)")
  }
}
