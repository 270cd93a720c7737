import CBLAS
import Foundation
import LinearAlgebra
import TestSupport
import Testing

@testable import BayesianOptimization

/// The same history gives the proposals that it gave when their digests were recorded, to the bit.
///
/// A change of structure must not change a proposal: a study that goes on with a new build would else end up elsewhere. Who
/// changes proposals on purpose records them anew (see `RecordedDigests`).
@Suite(.bounded) struct ProposalDigestTests {
  static let machine =
    "\(GradientKernel.best), \(String(cString: engram_blas_configuration())), \(RecordedDigests.toolchain)"
  static let recorded = (try? RecordedDigests("proposals"))?.digests(of: machine)  // a damaged file: nothing to compare

  @Test(
    "Same proposals as recorded",
    .enabled(if: recorded != nil, "no digests for \(machine): record them with ENGRAM_WRITE_FIXTURES=1"),
    arguments: ProposalDigest.cases)
  func sameBits(item: ProposalDigest) throws {
    let expected = try #require(Self.recorded?[item.name])
    // Recorded with one thread.
    #expect(try item.digest(threads: 3) == expected, "\(item.name)")
  }

  @Test("Digests of this machine are recorded", .enabled(if: RecordedDigests.isRecording))
  func recordsWhatIsMissing() throws {
    guard Self.recorded == nil else { return }
    let digests = try ProposalDigest.cases.map { ($0.name, try $0.digest(threads: 1)) }
    try RecordedDigests("proposals").record(
      Dictionary(digests, uniquingKeysWith: { first, _ in first }), of: Self.machine)
  }
}

/// One fixed history and what is asked of it.
struct ProposalDigest: Sendable, CustomTestStringConvertible {
  let name: String
  var problem: String
  var count: Int
  var settings = SamplerSettings(initial: 4, evaluations: 400)
  /// Configurations that ran out of memory, that failed, that are pending, among those of the history.
  var outOfMemory = 0
  var failed = 0
  var pending = 0
  /// Whether only the first objective counts.
  var isSingle = false
  /// Proposals in a row, each with the warm start of the one before.
  var proposals = 2

  var testDescription: String { name }

  static let cases: [ProposalDigest] = {
    var all = [
      ProposalDigest(name: "two objectives", problem: "branin-currin", count: 12),
      ProposalDigest(
        name: "memory, failures and pending", problem: "sparse34", count: 26, outOfMemory: 3, failed: 2, pending: 4),
      ProposalDigest(name: "three objectives", problem: "vehicle-safety", count: 14, proposals: 1),
      ProposalDigest(name: "one objective", problem: "dtlz2", count: 12, isSingle: true),
      ProposalDigest(name: "copula", problem: "zdt1", count: 14),
      ProposalDigest(name: "log-normal prior", problem: "sparse34-factors", count: 20),
      ProposalDigest(name: "No-U-Turn", problem: "branin-currin", count: 10),
      ProposalDigest(name: "initial design", problem: "sparse34", count: 3, proposals: 6),
    ]
    all[1].settings.useStandardErrors = true
    all[4].settings.surrogate.outcome = .normalCopula
    all[5].settings.surrogate.lengthscalePrior = .logNormal
    all[6].settings.surrogate.schedule.algorithm = .noUTurn
    all[7].settings.initial = 100
    for kind in [SamplerSettings.Kind.random, .sobol, .nsga2] {
      all.append(
        ProposalDigest(
          name: kind.rawValue, problem: "sparse34", count: 30, settings: SamplerSettings(kind: kind, initial: 4),
          pending: 3, proposals: 8))
    }
    return all
  }()

  func digest(threads: Int) throws -> String {
    let problem = try #require(AnalyticProblem.named(problem))
    let objectives = isSingle ? Array(problem.objectives.prefix(1)) : problem.objectives
    var settings = settings
    settings.threads = threads
    var request = try request(problem)
    var digest = BitDigest()
    let sampler = settings.makeSampler(space: problem.space, objectives: objectives)
    for _ in 0..<proposals {
      guard case .proposal(let proposal) = sampler.propose(request) else { break }
      digest.add(try problem.space.levels(of: proposal.configuration))
      digest.add([proposal.acquisition ?? 0])
      digest.add(proposal.warmStart ?? Data())
      digest.add(Data(proposal.source.utf8))
      digest.add([proposal.fallbacks.count])
      for key in proposal.diagnostics.keys.sorted() where key != "acquisition.anchors" {
        digest.add([proposal.diagnostics[key] ?? 0])
      }
      request.index += 1
      request.pending.append(proposal.configuration)
      request.warmStart = proposal.warmStart
    }
    guard settings.kind == .saasNEHVI else { return "\(digest)" }
    let suggestion = Suggestion(space: problem.space, objectives: objectives, settings: settings)
    for prediction in try suggestion.posterior(observations: request.observations, at: request.pending) {
      for objective in objectives {
        digest.add([prediction.mean[objective.name] ?? 0, prediction.variance[objective.name] ?? 0])
      }
    }
    for explanation in suggestion.explanation(observations: request.observations) {
      for factor in explanation.factors { digest.add([factor.median, factor.lower, factor.upper]) }
      digest.add([explanation.check.explained, explanation.check.residualDeviation])
    }
    return "\(digest)"
  }

  /// Sobol points of the space with the problem's values; the last ones are pending.
  private func request(_ problem: AnalyticProblem) throws -> ProposalRequest {
    var request = ProposalRequest(seed: 11, index: count, observations: [])
    let design = SobolSampler(space: problem.space)
    for index in 0..<(count + pending) {
      let point = ProposalRequest(seed: 11, index: index, observations: request.observations, pending: request.pending)
      guard case .proposal(let proposal) = design.propose(point) else { break }
      guard index < count else {
        request.pending.append(proposal.configuration)
        continue
      }
      var observation = Observation(
        configuration: proposal.configuration,
        objectives: try problem.observe(proposal.configuration, seed: 12, index: index),
        standardErrors: index % 3 == 0 ? nil : problem.noise.mapValues { $0 + 0.001 })
      if index < outOfMemory {
        observation.outcome = .outOfMemory
      } else if index < outOfMemory + failed {
        observation.outcome = .failed
      }
      request.observations.append(observation)
    }
    return request
  }
}
