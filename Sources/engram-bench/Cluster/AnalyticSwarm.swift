import BayesianOptimization
import Foundation
import Study
import Transport
import WireProtocol

/// Many `analytic` workers in one process, each with its own connection and session and without a trainer process: the
/// load of scale tests.
struct AnalyticSwarm: Sendable {
  /// What the swarm is.
  struct Settings: Sendable {
    var endpoint: Endpoint
    var security: ZeroMQClient.Security
    /// Name of the study, and fingerprints that agree with it.
    var study: String
    var fingerprints: Fingerprints
    var problem: AnalyticProblem
    var workers: Int
    /// Mean length of a trial in seconds; each lasts between half and one and a half of it.
    ///
    /// 0 = no time at all.
    var seconds: Double
    /// Time over which the workers arrive, evenly, in seconds; 0 = all at once.
    var ramp: Double
    /// Seed of the lengths.
    var seed: UInt64

    init(
      endpoint: Endpoint, security: ZeroMQClient.Security, study: String, fingerprints: Fingerprints,
      problem: AnalyticProblem, workers: Int, seconds: Double, ramp: Double = 0, seed: UInt64 = 1
    ) {
      self.endpoint = endpoint
      self.security = security
      self.study = study
      self.fingerprints = fingerprints
      self.problem = problem
      self.workers = workers
      self.seconds = seconds
      self.ramp = ramp
      self.seed = seed
    }
  }

  /// What the swarm saw.
  struct Report: Sendable, Codable {
    /// From a worker's `ready` to its trial: all, the first of every worker, the others.
    var answers: LatencySummary
    var firstAnswers: LatencySummary
    var laterAnswers: LatencySummary
    /// From a result to its acknowledgement, which follows its commit.
    var acknowledgements: LatencySummary
    /// Messages that the workers sent and received.
    var sent: Int
    var received: Int
    /// Trials whose result was acknowledged.
    var trials: Int
  }

  private let settings: Settings

  init(_ settings: Settings) { self.settings = settings }

  /// Works until the coordinator has sent every worker home.
  ///
  /// - Throws: ``TransportError``.
  func run() async throws -> Report {
    let pool = try ZeroMQClientPool(connections: settings.workers)
    let workers = try (0..<settings.workers).map { index in
      try SwarmWorker(
        index, settings,
        client: pool.connect(
          to: settings.endpoint, identity: "swarm.\(ProcessInfo.processInfo.processIdentifier).\(index)",
          security: settings.security))
    }
    let ticker = Task {
      while !Task.isCancelled {
        // Cancelled: the loop ends.
        try? await Task.sleep(for: .milliseconds(250))
        for worker in workers { await worker.tick() }
      }
    }
    var counts = SwarmCounts()
    try await withThrowingTaskGroup(of: SwarmCounts.self) { group in
      for (index, worker) in workers.enumerated() {
        let delay = settings.ramp * Double(index) / Double(workers.count)
        group.addTask {
          // Nobody cancels the group.
          if delay > 0 { try? await Task.sleep(for: .seconds(delay)) }
          return try await worker.run()
        }
      }
      for try await part in group { counts.add(part) }
    }
    ticker.cancel()
    pool.close()
    return Report(
      answers: LatencySummary(counts.firstAnswers + counts.laterAnswers),
      firstAnswers: LatencySummary(counts.firstAnswers), laterAnswers: LatencySummary(counts.laterAnswers),
      acknowledgements: LatencySummary(counts.acknowledgements), sent: counts.sent, received: counts.received,
      trials: counts.trials)
  }
}

/// Quantiles of waiting times, in milliseconds.
struct LatencySummary: Sendable, Codable {
  var count: Int
  var median: Double
  var p99: Double
  var max: Double

  /// - Parameter values: waiting times in seconds, in any order.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    func quantile(_ fraction: Double) -> Double {
      sorted.isEmpty ? 0 : 1000 * sorted[min(sorted.count - 1, Int(fraction * Double(sorted.count)))]
    }
    count = sorted.count
    median = quantile(0.5)
    p99 = quantile(0.99)
    max = (sorted.last ?? 0) * 1000
  }
}

/// What one worker, or several together, counted.
struct SwarmCounts: Sendable {
  var firstAnswers: [Double] = []
  var laterAnswers: [Double] = []
  var acknowledgements: [Double] = []
  var sent = 0
  var received = 0
  var trials = 0

  mutating func add(_ other: SwarmCounts) {
    firstAnswers += other.firstAnswers
    laterAnswers += other.laterAnswers
    acknowledgements += other.acknowledgements
    sent += other.sent
    received += other.received
    trials += other.trials
  }
}
