import Foundation
import RandomStreams
import TestSupport
import Testing

@testable import BayesianOptimization

/// What every sampler must hold (see `Sampler`), run against all of them.
@Suite(.bounded) struct SamplerConformanceTests {
  static let objectives = [
    Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
  ]

  static func settings(_ kind: SamplerSettings.Kind, initial: Int = 6) -> SamplerSettings {
    SamplerSettings(
      kind: kind, initial: initial, surrogate: SurrogateSettings(schedule: .short), evaluations: 200, starts: 4)
  }

  static func spaces() throws -> [SearchSpace] {
    [
      try SearchSpace(memory: MemorySpace(layers: 12)),
      try SearchSpace(memory: MemorySpace(layers: 6, count: 0...4, ranks: [8, 16], placement: .total)),
      try SearchSpace(factors: [
        Factor(name: "a", domain: .toggle), Factor(name: "b", domain: .integer(0...30)),
        Factor(name: "c", domain: .categorical([.text("x"), .text("y"), .text("z")])),
        Factor(name: "d", domain: .ordinal([.number(0.1), .number(0.2)]), fixed: .number(0.2)),
      ]),
    ]
  }

  /// A smooth made-up evaluation of any configuration.
  static func evaluate(_ space: SearchSpace, _ configuration: Configuration) -> [String: Double] {
    let row = (try? space.encode(configuration)) ?? []
    let a = row.enumerated().reduce(0) { $0 + $1.element / Double($1.offset + 1) }
    return ["loss": 2 - 0.5 * a + 0.2 * a * a, "rougeL": 0.1 + 0.1 * (row.last ?? 0) + 0.05 * a]
  }

  @Test(arguments: SamplerSettings.Kind.allCases)
  func proposalsAreValidFreshCanonicalAndReproducible(kind: SamplerSettings.Kind) throws {
    for space in try Self.spaces() {
      let sampler = Self.settings(kind).makeSampler(space: space, objectives: Self.objectives)
      var observations: [Observation] = []
      var pending: [Configuration] = []
      var keys: Set<String> = []
      var warmStart: Data?
      var stream = RandomStream(seed: 1, purpose: "conformance")
      for index in 0..<14 {
        let request = ProposalRequest(
          seed: 3, index: index, observations: observations, pending: pending, warmStart: warmStart)
        let outcome = sampler.propose(request)
        #expect(outcome == sampler.propose(request), "\(kind) is not a pure function")
        guard case .proposal(let proposal) = outcome else {
          Issue.record("\(kind) gave up at \(index)")
          return
        }
        let configuration = proposal.configuration
        #expect(space.isValid(configuration))
        #expect(try space.canonical(configuration) == configuration)
        #expect(keys.insert(try space.key(configuration)).inserted, "\(kind) repeated \(configuration)")
        #expect(proposal.acquisition?.isFinite ?? true)
        #expect(proposal.diagnostics.values.allSatisfy { $0.isFinite })
        warmStart = proposal.warmStart ?? warmStart
        pending.append(configuration)
        // Finish in any order, keeping up to three pending.
        while pending.count > 3 {
          let done = pending.remove(at: stream.integer(below: pending.count))
          let outcomes: [Observation.Outcome] = [.completed, .completed, .completed, .outOfMemory, .failed]
          let end = outcomes[stream.integer(below: outcomes.count)]
          observations.append(
            Observation(
              configuration: done, objectives: end == .completed ? Self.evaluate(space, done) : [:], outcome: end))
        }
      }
    }
  }

  @Test(arguments: SamplerSettings.Kind.allCases)
  func smallSpacesAreUsedUpExactly(kind: SamplerSettings.Kind) throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 3, count: 0...2, ranks: [8], placement: .total))
    let size = try #require(space.size.exact)
    let sampler = Self.settings(kind, initial: 4).makeSampler(space: space, objectives: Self.objectives)
    var observations = [Observation(configuration: space.nullConfiguration, objectives: ["loss": 2, "rougeL": 0.1])]
    for index in 0..<size {
      let outcome = sampler.propose(ProposalRequest(seed: 1, index: index, observations: observations))
      guard case .proposal(let proposal) = outcome else {
        Issue.record("\(kind) stopped at \(index) of \(size)")
        return
      }
      #expect(!proposal.configuration.isNull)
      observations.append(
        Observation(
          configuration: proposal.configuration, objectives: Self.evaluate(space, proposal.configuration)))
    }
    #expect(Set(try observations.map { try space.key($0.configuration) }).count == size + 1)
    let end = sampler.propose(ProposalRequest(seed: 1, index: size, observations: observations))
    #expect(end == .spaceExhausted)
    // Pending counts too.
    let waiting = ProposalRequest(
      seed: 1, index: size, observations: Array(observations.dropLast(2)),
      pending: observations.suffix(2).map(\.configuration))
    #expect(sampler.propose(waiting) == .spaceExhausted)
  }

  @Test func threadsNeverChangeTheProposal() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 12))
    var observations: [Observation] = []
    var stream = RandomStream(seed: 4, purpose: "threads")
    for _ in 0..<12 {
      let configuration = space.random(using: &stream)
      observations.append(
        Observation(configuration: configuration, objectives: Self.evaluate(space, configuration)))
    }
    let pending = [space.random(using: &stream)]
    var answers: [ProposalOutcome] = []
    for threads in [1, 2, 3] {
      var settings = Self.settings(.saasNEHVI, initial: 2)
      settings.threads = threads
      settings.surrogate.schedule = .standard
      let sampler = settings.makeSampler(space: space, objectives: Self.objectives)
      let first = sampler.propose(
        ProposalRequest(seed: 1, index: 12, observations: observations, pending: pending))
      guard case .proposal(let proposal) = first else {
        Issue.record("no proposal")
        return
      }
      #expect(proposal.source == "nehvi" && proposal.warmStart != nil)
      let second = sampler.propose(
        ProposalRequest(
          seed: 1, index: 13, observations: observations, pending: pending + [proposal.configuration],
          warmStart: proposal.warmStart))
      if case .proposal(let warm) = second { #expect(warm.diagnostics["loss.warmStarted"] == 1) }
      answers += [first, second]
    }
    #expect(answers[0] == answers[2] && answers[0] == answers[4])
    #expect(answers[1] == answers[3] && answers[1] == answers[5])
  }

  @Test func oneObjectiveUsesExpectedImprovementAndFiveFallBack() throws {
    let space = try SearchSpace(memory: MemorySpace(layers: 8))
    var stream = RandomStream(seed: 5, purpose: "objectives")
    let configurations = (0..<8).map { _ in space.random(using: &stream) }
    for count in [1, 3, 5] {
      let objectives = (0..<count).map { Objective(name: "f\($0)", direction: .minimize) }
      let observations = configurations.map { configuration in
        var values: [String: Double] = [:]
        for (index, objective) in objectives.enumerated() {
          values[objective.name] = Double((configuration.layers ?? []).reduce(0) { $0 + ($1 + index) % (index + 2) })
        }
        return Observation(configuration: configuration, objectives: values)
      }
      let sampler = Self.settings(.saasNEHVI, initial: 2).makeSampler(space: space, objectives: objectives)
      guard
        case .proposal(let proposal) = sampler.propose(
          ProposalRequest(seed: 1, index: 8, observations: observations))
      else {
        Issue.record("no proposal")
        return
      }
      #expect(proposal.source == [1: "ei", 3: "nehvi", 5: "sobol"][count])
    }
  }

  @Test func suggestionsAreDistinctAndPosteriorHasUnits() throws {
    let problem = try #require(AnalyticProblem.sparse34)
    var stream = RandomStream(seed: 6, purpose: "suggestion")
    let observations = (0..<20).map { index -> Observation in
      let configuration = problem.space.random(using: &stream)
      let values = (try? problem.observe(configuration, seed: 1, index: index)) ?? [:]
      return Observation(configuration: configuration, objectives: values)
    }
    let suggestion = Suggestion(
      space: problem.space, objectives: problem.objectives,
      settings: SamplerSettings(initial: 0, surrogate: SurrogateSettings(schedule: .short), evaluations: 300))
    let proposals = suggestion.next(observations: observations, count: 3, seed: 1)
    #expect(proposals.count == 3 && Set(proposals.map(\.configuration)).count == 3)
    #expect(proposals.allSatisfy { $0.source == "nehvi" })
    #expect(proposals == suggestion.next(observations: observations, count: 3, seed: 1))
    let predictions = try suggestion.posterior(
      observations: observations, at: observations.map(\.configuration), seed: 1)
    let losses = observations.map { $0.objectives["loss"] ?? 0 }
    let mean = losses.reduce(0, +) / Double(losses.count)
    let predicted = predictions.map { $0.mean["loss"] ?? 0 }
    #expect(abs(predicted.reduce(0, +) / Double(predicted.count) - mean) < 0.1)
    #expect(predictions.allSatisfy { ($0.variance["loss"] ?? -1) > 0 && ($0.variance["rougeL"] ?? -1) > 0 })
    var late = suggestion
    late = Suggestion(
      space: problem.space, objectives: problem.objectives, settings: SamplerSettings(initial: 21))
    #expect(late.next(observations: observations, count: 2, seed: 1).allSatisfy { $0.source == "initial" })
  }
}
