import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization
@testable import engram_bench

/// Search quality against the stored curves of the reference; hours of the peer's time, minutes of ours.
@Suite(.bounded) struct SearchQualityTests {
  struct File: Decodable {
    struct Peer: Decodable {
      var curve: [Double]
      var configs: [[Int]]
      var Y: [[Double]]
    }
    var botorch_seed1: Peer
    var botorch_seed2: Peer
    var botorch_seed3: Peer
  }

  @Test func storedCurvesAreReproducedFromTheirConfigurations() throws {
    let file = try Fixtures.decode(File.self, from: "goldens/bo/search_quality.json")
    let problem = try #require(AnalyticProblem.sparse34Factors)
    for peer in [file.botorch_seed1, file.botorch_seed2, file.botorch_seed3] {
      let run = try SearchQuality.run(
        problem: problem, settings: SamplerSettings(kind: .random),
        initial: peer.configs.map { problem.space.configuration($0) }, budget: peer.configs.count, seed: 1, noiseSeed: 1
      )
      for (value, expected) in zip(run.curve, peer.curve) { #expect(abs(value - expected) < 1e-9) }
    }
  }

  @Test func aShortSearchBeatsItsInitialPoints() throws {
    let problem = try #require(AnalyticProblem.sparse34)
    var stream = RandomStream(seed: 8, purpose: "quality")
    let initial = (0..<16).map { _ in problem.space.random(using: &stream) }
    let settings = SamplerSettings(surrogate: SurrogateSettings(schedule: .short), evaluations: 400)
    let run = try SearchQuality.run(
      problem: problem, settings: settings, initial: initial, budget: 28, batch: 2, seed: 1, noiseSeed: 2)
    #expect(run.curve.count == 28 && run.sources.suffix(12).allSatisfy { $0 == "nehvi" })
    #expect(run.curve[27] > run.curve[15])
    #expect(Set(run.configurations).count == 28)
  }

  /// ENGRAM_QUALITY=1: three stored initial sets, five noise seeds, rounds of five; prints the table.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_QUALITY"] != nil))
  func comparisonWithTheReference() throws {
    let file = try Fixtures.decode(File.self, from: "goldens/bo/search_quality.json")
    let problem = try #require(AnalyticProblem.sparse34Factors)
    let peers = [file.botorch_seed1, file.botorch_seed2, file.botorch_seed3]
    let batch = Int(ProcessInfo.processInfo.environment["ENGRAM_BATCH"] ?? "5") ?? 5
    let seeds = Int(ProcessInfo.processInfo.environment["ENGRAM_QUALITY"] ?? "1") ?? 1
    var rows: [[Double]] = []
    for (set, peer) in peers.enumerated() {
      for noise in 1...seeds {
        var settings = SamplerSettings()
        let variables = ProcessInfo.processInfo.environment
        if let text = variables["ENGRAM_EVALUATIONS"] { settings.evaluations = Int(text) ?? 2_000 }
        if variables["ENGRAM_COPULA"] != nil { settings.surrogate.outcome = .normalCopula }
        if let name = variables["ENGRAM_SCHEDULE"], let schedule = SamplingSchedule.named(name) {
          settings.surrogate.schedule = schedule
        }
        let start = Date()
        let run = try SearchQuality.run(
          problem: problem, settings: settings,
          initial: peer.configs.prefix(30).map { problem.space.configuration($0) },
          initialValues: peer.Y.prefix(30).map { ["loss": -$0[0], "rougeL": $0[1]] }, budget: 60, batch: batch,
          asynchronous: ProcessInfo.processInfo.environment["ENGRAM_ASYNC"] != nil,
          seed: UInt64(noise), noiseSeed: UInt64(100 + noise))
        let row = [40, 50, 60].map { run.curve[$0 - 1] }
        rows.append(row)
        print(
          "set \(set + 1) noise \(noise): start \(run.curve[29]) ours \(row) peer \([40, 50, 60].map { peer.curve[$0 - 1] })",
          "seconds \(Date().timeIntervalSince(start)) fallbacks \(Set(run.fallbacks))")
      }
    }
    for column in 0..<3 {
      let values = rows.map { $0[column] }
      let mean = values.reduce(0, +) / Double(values.count)
      let spread = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(1, values.count - 1))
      print("evaluations \([40, 50, 60][column]): mean \(mean) sd \(spread.squareRoot()) n \(values.count)")
    }
  }

  /// ENGRAM_TIMING=N: prints the parts of one proposal at N observations, D = 34; not an assertion.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_TIMING"] != nil))
  func partsOfAProposal() throws {
    let problem = try #require(AnalyticProblem.sparse34)
    let count = Int(ProcessInfo.processInfo.environment["ENGRAM_TIMING"] ?? "100") ?? 100
    let threads = Int(ProcessInfo.processInfo.environment["ENGRAM_THREADS"] ?? "1") ?? 1
    var stream = RandomStream(seed: 9, purpose: "timing")
    let observations = try (0..<count).map { index -> Observation in
      let configuration = problem.space.random(using: &stream)
      return Observation(
        configuration: configuration, objectives: try problem.observe(configuration, seed: 1, index: index))
    }
    var settings = SamplerSettings(initial: 2, reference: .fixed(problem.reference))
    settings.threads = threads
    let clock = ContinuousClock()
    for round in 0..<3 {
      let request = ProposalRequest(seed: UInt64(round), index: count, observations: observations)
      let data = TrainingData(
        space: problem.space, objectives: problem.objectives, observations: observations, useStandardErrors: false)
      var surrogates: Surrogates?
      let fit = clock.measure {
        surrogates = Surrogates(
          space: problem.space, objectives: problem.objectives, data: data, settings: settings, request: request)
      }
      let fitted = try #require(surrogates)
      var acquisition: AcquisitionProblem?
      let build = clock.measure {
        acquisition = AcquisitionProblem(
          space: problem.space, objectives: problem.objectives, data: data, surrogates: fitted, settings: settings,
          request: request)
      }
      let problemOfProposal = try #require(acquisition)
      let draws = RandomDraws(problem.space)
      let candidates = (0..<1_000).map { _ in draws.next(using: &stream) }
      var values: [Double] = []
      let evaluate = try clock.measure { values = try problemOfProposal.scores(candidates, threads: threads) }
      let sampler = settings.makeSampler(space: problem.space, objectives: problem.objectives)
      var outcome = ProposalOutcome.spaceExhausted
      let cold = clock.measure { outcome = sampler.propose(request) }
      guard case .proposal(let proposal) = outcome else { return }
      let next = ProposalRequest(
        seed: UInt64(round), index: count + 1, observations: observations, pending: [proposal.configuration],
        warmStart: proposal.warmStart)
      var second = ProposalOutcome.spaceExhausted
      let warm = clock.measure { second = sampler.propose(next) }
      print(
        "N \(count) threads \(threads): fit \(fit) build \(build) baseline \(problemOfProposal.baselineCount)",
        "1000 candidates \(evaluate) cold \(cold) warm \(warm) warm-start bytes \(proposal.warmStart?.count ?? 0)",
        values.count)
      if case .proposal(let answer) = second {
        print("cold", proposal.diagnostics.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })
        print("warm", answer.diagnostics.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" })
      }
    }
  }

  @Test func comparisonPairsItsRuns() throws {
    let problem = try #require(AnalyticProblem.dtlz2)
    let settings = [SamplerSettings(kind: .nsga2), SamplerSettings(kind: .random), SamplerSettings(kind: .sobol)]
    let curves = try SearchQuality.compare(
      problem: problem, settings: settings, sets: 4, initial: 8, budget: 20, seed: 3)
    #expect(curves.map(\.sampler) == ["nsga2", "random", "sobol"])
    for curve in curves {
      // All runs start from the same sets.
      #expect(curve.mean[7] == curves[0].mean[7] && curve.advantage[7] == 0 && curve.margin[7] == 0)
      #expect(zip(curve.mean, curve.mean.dropFirst()).allSatisfy { $0 <= $1 })
      #expect(abs(curve.advantage[19] - (curves[0].mean[19] - curve.mean[19])) < 1e-12)
    }
    #expect(curves[0].margin.allSatisfy { $0 == 0 })
  }

  /// ENGRAM_COMPARE=problem: 20 initial sets, model against NSGA-II, Sobol and random; prints the table.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["ENGRAM_COMPARE"] != nil))
  func comparisonWithTheBaselines() throws {
    let name = ProcessInfo.processInfo.environment["ENGRAM_COMPARE"] ?? "sparse34"
    let problem = try #require(AnalyticProblem.named(name))
    let settings = [SamplerSettings.Kind.saasNEHVI, .nsga2, .sobol, .random].map { SamplerSettings(kind: $0) }
    let curves = try SearchQuality.compare(
      problem: problem, settings: settings, sets: 20, initial: 20, budget: 60, batch: 1, seed: 11)
    for curve in curves {
      for step in [20, 30, 40, 50, 60] {
        print(
          name, curve.sampler, step, "mean \(curve.mean[step - 1])",
          "advantage \(curve.advantage[step - 1]) ± \(curve.margin[step - 1])")
      }
    }
  }
}
