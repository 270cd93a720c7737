import BayesianOptimization
import Foundation
import RandomStreams
import Study

/// A sampler whose answer depends on everything in the request, so that two different histories are told apart.
struct ToySampler: Sampler {
  static let layers = 16
  static let counts = 10

  static func key(_ configuration: BayesianOptimization.Configuration) -> String {
    configuration.isNull ? "null" : "\(configuration.layers ?? [])x\(configuration.count ?? 0)"
  }

  func propose(_ request: ProposalRequest) -> ProposalOutcome {
    var digest: UInt64 = 14_695_981_039_346_656_037
    func mix(_ text: String) {
      for byte in text.utf8 { digest = (digest ^ UInt64(byte)) &* 1_099_511_628_211 }
    }
    var known: Set<String> = []
    for observation in request.observations {
      known.insert(Self.key(observation.configuration))
      let values = observation.objectives.sorted { $0.key < $1.key }
      mix("\(Self.key(observation.configuration)) \(values) \(observation.outcome)")
    }
    for configuration in request.pending {
      known.insert(Self.key(configuration))
      mix("pending \(Self.key(configuration))")
    }
    for byte in request.warmStart ?? Data() { digest = (digest ^ UInt64(byte)) &* 1_099_511_628_211 }
    var random = RandomStream(seed: request.seed ^ digest, purpose: "toy", index: UInt64(request.index))
    let total = Self.layers * Self.counts
    let start = random.integer(below: total)
    for offset in 0..<total {
      let place = (start + offset) % total
      let configuration = Configuration.memory(
        layers: [place % Self.layers], count: 1 + place / Self.layers, rank: 8)
      if known.contains(Self.key(configuration)) { continue }
      let state = withUnsafeBytes(of: digest.littleEndian) { Data($0) }
      return .proposal(
        Proposal(
          configuration: configuration, source: "toy", acquisition: random.uniform(), warmStart: state,
          diagnostics: ["start": Double(start)]))
    }
    return .spaceExhausted
  }

  func proposals(_ request: ProposalRequest, count: Int) -> [ProposalOutcome] {
    var request = request
    var outcomes: [ProposalOutcome] = []
    repeat {
      outcomes.append(propose(request))
      guard case .proposal(let proposal)? = outcomes.last else { break }
      request.index += 1
      request.pending.append(proposal.configuration)
      request.warmStart = proposal.warmStart ?? request.warmStart
    } while outcomes.count < count
    return outcomes
  }
}

/// Two objectives computed from a configuration, for workers that do not train.
enum ToyEvaluation {
  static let objectives = [
    Objective(name: "loss", direction: .minimize), Objective(name: "rougeL", direction: .maximize),
  ]

  static func definition(seed: UInt64, name: String = "toy") -> StudyDefinition {
    StudyDefinition(name: name, identifier: "toy-\(seed)", seed: seed, objectives: objectives)
  }

  static let policy = StudyPolicy(
    failingAfter: 1_000,
    referencePoint: { $0.contains { $0.outcome == .completed } ? ["loss": 20, "rougeL": -1] : nil },
    hypervolume: { Hypervolume.value($0, reference: $1) })

  static func result(_ configuration: BayesianOptimization.Configuration, seed: UInt64) -> TrialResult {
    var random = RandomStream(seed: seed, purpose: "toy/result")
    let layer = Double(configuration.layers?.first ?? 9)
    let count = Double(configuration.count ?? 0)
    return TrialResult(
      objectives: ["loss": layer + random.uniform(), "rougeL": count / 10 + random.uniform() / 10],
      standardErrors: ["loss": random.uniform()], metrics: ["seconds": random.uniform() * 100])
  }
}
